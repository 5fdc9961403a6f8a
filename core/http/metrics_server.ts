import { AppError, type Metrics, type Service } from "../base/mod.ts";

/** Options of {@linkcode metricsService}. */
export interface MetricsServerOptions {
  /** 0 leaves the choice to the system. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Why the process does not do its work, for `/readyz`; empty when it does. */
  readonly problems: () => readonly string[];
  /** Told the port as soon as it is open. */
  readonly onListening?: (port: number) => void;
}

/**
 * Metrics and health on 127.0.0.1, without a credential: they hold no names of users' data and are
 * for the machine's own monitoring. `/metrics`, `/healthz`, `/livez`, `/readyz`.
 * `Deno.serve` takes neither a cap on connections nor a limit on slow heads, so this must not listen
 * anywhere else.
 */
export function metricsService(options: MetricsServerOptions): Service {
  return {
    name: "metrics",
    onFailure: "stop-process",
    async run(signal, ready) {
      let server: Deno.HttpServer;
      try {
        server = Deno.serve({
          hostname: "127.0.0.1",
          port: options.port,
          signal,
          onListen: ({ port }) => {
            options.onListening?.(port);
            ready();
          },
        }, (request) => answer(request, options));
      } catch (cause) {
        const taken = cause instanceof Deno.errors.AddrInUse;
        throw new AppError(
          taken ? "AlreadyExists" : "ServiceUnavailable",
          `Cannot listen on 127.0.0.1:${options.port} for metrics: is the port taken?`,
          { cause },
        );
      }
      await server.finished;
    },
  };
}

function answer(request: Request, options: MetricsServerOptions): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("only GET\n", { status: 405 });
  }
  switch (pathOf(request)) {
    case undefined:
      return new Response("the Host header or the path cannot be read\n", { status: 400 });
    case "/metrics":
      return new Response(options.metrics.text(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    case "/healthz":
    case "/livez":
      return new Response("ok\n");
    case "/readyz":
      return answerReady(options.problems());
    default:
      return new Response("there are /metrics, /healthz, /livez and /readyz\n", { status: 404 });
  }
}

/** `undefined` for what a client made up: the URL holds its `Host`, whatever that is. */
function pathOf(request: Request): string | undefined {
  try {
    return new URL(request.url).pathname;
  } catch {
    return undefined;
  }
}

/** A line for each problem, as whoever looks into it wants to know. */
function answerReady(problems: readonly string[]): Response {
  if (problems.length === 0) return new Response("ok\n");
  return new Response(`not ready\n${problems.map((one) => `${one}\n`).join("")}`, { status: 503 });
}
