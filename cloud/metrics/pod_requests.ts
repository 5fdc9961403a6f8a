import { isAppError, type Metrics, type Ms } from "../../core/base/mod.ts";

/** What may come of a request of a pod; the last four are no answers of the API server. */
const RESULTS = [
  ...["ok", "refused", "failed"] as const,
  ...["no_answer", "not_let_in", "too_many", "gone"] as const,
] as const;

/** See {@linkcode PodRequests}. */
export type PodRequestResult = typeof RESULTS[number];

/** Told what came of a request of a pod, and how long its answer took to begin. */
export type OnPodRequest = (result: PodRequestResult, took: Ms) => void;

/** What an answer of the API server to a pod is. */
export function resultOfAnswer(status: number): PodRequestResult {
  if (status < 400) return "ok";
  return status < 500 ? "refused" : "failed";
}

/** Why a pod has no answer of the API server. */
export function resultOfError(error: unknown): PodRequestResult {
  if (isAppError(error, "TooManyRequests")) return "too_many";
  return isAppError(error, "Unauthorized", "Forbidden") ? "not_let_in" : "no_answer";
}

/** Counts the requests of pods that a hub passes on to its API server. */
export class PodRequests {
  readonly #metrics: Metrics;
  readonly observe: OnPodRequest;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    const requests = metrics.counter(
      "skerry_hub_pod_requests_total",
      "Requests of pods to the API server that came to this hub, by its answer (ok, refused, " +
        "failed), or why there is none: no_answer, not_let_in, too_many of one node, gone.",
      RESULTS.map((result) => ({ result })),
    );
    const took = metrics.histogram(
      "skerry_hub_pod_request_seconds",
      "Time until the API server's answer to a pod began, in seconds.",
    );
    this.observe = (result, span) => {
      requests.add(1, { result });
      if (result === "ok" || result === "refused" || result === "failed") {
        took.observe(span / 1000);
      }
    };
  }

  /** Shows how many are under way. */
  show(running: () => number): void {
    this.#metrics.gauge(
      "skerry_hub_pod_requests_running",
      "Requests of pods to the API server that are under way, watches among them.",
      () => [{ value: running() }],
    );
  }
}
