import {
  type Clock,
  type Logger,
  type Metrics,
  METRICS_TYPE,
  type Ms,
  type Service,
} from "../base/mod.ts";
import { servePlain } from "./server_plain.ts";

/** Options of {@linkcode metricsService}. */
export interface MetricsServerOptions {
  /** @default {127.0.0.1} */
  readonly hostname?: string;
  /** 0 leaves the choice to the system. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Why the process does not do its work, for `/readyz`; empty when it does. */
  readonly problems: () => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Told the port as soon as it is open. */
  readonly onListening?: (port: number) => void;
  /** Longest time for the head of a request. @default {10 s} */
  readonly headTimeout?: Ms;
}

/** Connections at once: a scraper or two and probes. */
const MAX_CONNECTIONS = 64;

/**
 * Metrics and health without a credential: they hold no names of users' data and are for the
 * machine's own monitoring, or in a cluster for its probes and scrapers. `/metrics`, `/healthz`,
 * `/livez`, `/readyz`.
 */
export function metricsService(options: MetricsServerOptions): Service {
  const { hostname = "127.0.0.1", port, clock, log, headTimeout } = options;
  return {
    name: "metrics",
    onFailure: "stop-process",
    async run(signal, ready) {
      const server = await servePlain({
        ...{ hostname, port, clock, log, signal },
        maxConnections: MAX_CONNECTIONS,
        ...(headTimeout === undefined ? {} : { timeouts: { head: headTimeout } }),
        handler: (request) => Promise.resolve(answer(request, options)),
      });
      options.onListening?.(server.port);
      ready();
      await server.finished;
    },
  };
}

function answer(request: Request, options: MetricsServerOptions): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("only GET\n", { status: 405 });
  }
  switch (pathOf(request)) {
    case "/metrics":
      return new Response(options.metrics.text(), { headers: { "content-type": METRICS_TYPE } });
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
