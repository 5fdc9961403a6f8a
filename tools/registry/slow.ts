/** A proxy before a registry that counts what is asked and can be slow. */
export interface SlowRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, in place of the registry's own. */
  readonly host: string;
  /** What was asked, e.g. `GET /v2/app/manifests/1`. */
  readonly asked: string[];
  /** Bytes of blobs that were passed on. */
  readonly passed: number;
  /** How fast blobs come, in bytes a second. */
  speed: number;
  /** Breaks every answer that is under way. */
  cut(): void;
}

/** Bodies are passed on in so many pieces a second. */
const TICKS = 20;

/** Starts a proxy before the registry at `target` (`HOST:PORT`). */
export function startSlowRegistry(target: string, speed = Infinity): SlowRegistry {
  const asked: string[] = [];
  const made = { speed, asked, passed: 0 };
  let stop = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, async (request) => {
    const { pathname, search } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    const headers = new Headers(request.headers);
    headers.set("host", target);
    try {
      const { signal } = stop;
      const response = await fetch(`http://${target}${pathname}${search}`, {
        method: request.method,
        headers,
        redirect: "manual",
        signal,
      });
      if (!pathname.includes("/blobs/") || !response.body) return response;
      const { status } = response;
      const body = slowed(response.body, made, signal);
      return new Response(body, { status, headers: response.headers });
    } catch {
      return new Response("the registry is away", { status: 502 });
    }
  });
  return Object.assign(made, {
    host: `127.0.0.1:${server.addr.port}`,
    cut() {
      stop.abort(new Error("cut"));
      stop = new AbortController();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.shutdown();
    },
  });
}

function slowed(
  body: ReadableStream<Uint8Array>,
  state: { speed: number; passed: number },
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  return body.pipeThrough(
    new TransformStream({
      async transform(chunk: Uint8Array, controller) {
        for (let at = 0; at < chunk.length;) {
          signal.throwIfAborted();
          const size = Math.max(1, Math.min(chunk.length - at, state.speed / TICKS));
          controller.enqueue(chunk.subarray(at, at + size));
          state.passed += Math.min(size, chunk.length - at);
          at += size;
          if (state.speed < Infinity) {
            await new Promise((resolve) => setTimeout(resolve, 1000 / TICKS));
          }
        }
      },
    }),
  );
}
