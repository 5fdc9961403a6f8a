import type { Clock, Metrics, Ms } from "../../core/base/mod.ts";
import type { SeenRequest } from "../../core/kube/mod.ts";

/** Kubernetes' verbs, as far as a hub uses them. */
const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"] as const;
type Verb = typeof VERBS[number];

/** What may come of a request. */
const RESULTS = [
  ...["ok", "not_found", "conflict", "expired", "throttled", "forbidden", "refused"],
  ...["failed", "no_answer"],
] as const;

const METHODS: Readonly<Record<string, Verb>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

const CODES: Readonly<Record<number, string>> = {
  401: "forbidden",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  410: "expired",
  429: "throttled",
};

/** The verb of a request, by what tells a list from a read of one object here: its `limit`. */
export function verbOf({ method, query = {} }: SeenRequest["call"]): Verb {
  if (method !== "GET") return METHODS[method] ?? "get";
  if (query["watch"]) return "watch";
  return query["limit"] === undefined ? "get" : "list";
}

/** Whether it is the first page of all objects of a kind: what an informer asks when it begins anew. */
export function isRelist({ method, query = {} }: SeenRequest["call"]): boolean {
  if (method !== "GET" || query["watch"] || query["continue"]) return false;
  // One object has a limit of 1, or is named.
  return Number(query["limit"]) > 1 && !String(query["fieldSelector"]).includes("metadata.name=");
}

/** The class of an answer. */
export function resultOf(status: number | undefined): string {
  if (status === undefined) return "no_answer";
  if (status < 400) return "ok";
  return CODES[status] ?? (status < 500 ? "refused" : "failed");
}

/** Counts the requests of a hub to its API server, and knows when that was heard last. */
export class ApiTraffic {
  readonly #clock: Clock;
  #heard: Ms;
  /** For `KubeClientOptions.observe`. */
  readonly observe: (request: SeenRequest) => void;

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    this.#heard = clock.monotonic();
    const known = VERBS.flatMap((verb) => RESULTS.map((result) => ({ verb, result })));
    const requests = metrics.counter(
      "skerry_hub_api_requests_total",
      "Requests to the API server, by verb and by what came of them; watch counts openings.",
      known,
    );
    const took = metrics.histogram(
      "skerry_hub_api_request_seconds",
      "Time until the API server began its answer, in seconds.",
      { known: VERBS.map((verb) => ({ verb })) },
    );
    const relists = metrics.counter(
      "skerry_hub_relists_total",
      "Kinds that were read from the beginning, at a start and when a watch could not go on.",
    );
    metrics.gauge(
      "skerry_hub_api_silent_seconds",
      "Time since the API server last answered anything, in seconds.",
      () => [{ value: this.silentFor / 1000 }],
    );
    this.observe = ({ call, status, took: span }) => {
      const verb = verbOf(call);
      requests.add(1, { verb, result: resultOf(status) });
      if (isRelist(call)) relists.add();
      if (status === undefined) return;
      this.#heard = clock.monotonic();
      took.observe(span / 1000, { verb });
    };
  }

  /** How long nothing has been heard of the API server. */
  get silentFor(): Ms {
    return (this.#clock.monotonic() - this.#heard) as Ms;
  }
}
