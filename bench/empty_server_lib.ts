/** A server that does nothing: what a start of Deno takes at least. */
Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} },
  () => new Response(),
);
