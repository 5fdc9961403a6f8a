/** A plain `Deno.serve` with the answer of the hello function, for `bench/function_http.ts`. */
const body = new TextEncoder().encode("hello from skerry\n");
const headers: [string, string][] = [["content-type", "text/plain; charset=utf-8"]];

if (import.meta.main) {
  Deno.serve(
    { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} },
    () => new Response(body, { headers }),
  );
}
