import type { Clock, Counter, Metrics } from "../../core/base/mod.ts";
import type { KubeClient } from "../../core/kube/mod.ts";
import type { Reviewed } from "../admission/mod.ts";
import type { PassedStream, Presence } from "../replicas/mod.ts";
import { ApiTraffic } from "./api_traffic.ts";
import { PodRequests } from "./pod_requests.ts";

/** What is shown of a hub that serves a Kubernetes cluster. */
export interface ClusterParts {
  readonly client: Pick<KubeClient, "load">;
  readonly presence: Pick<Presence, "others">;
  /** Requests of pods under way. */
  readonly podRequests: () => number;
}

const ROLES: readonly PassedStream[] = ["asked", "served", "forwarded", "taken"];
const REVIEWS: readonly Reviewed[] = ["changed", "unchanged", "failed"];

/** What a hub of a Kubernetes cluster counts beside what every hub does. */
export class ClusterMetrics {
  readonly api: ApiTraffic;
  readonly pods: PodRequests;
  readonly #metrics: Metrics;
  readonly #reviews: Counter;
  readonly #streams: Counter;
  #leading = false;

  constructor(metrics: Metrics, clock: Clock) {
    this.#metrics = metrics;
    this.api = new ApiTraffic(metrics, clock);
    this.pods = new PodRequests(metrics);
    this.#reviews = metrics.counter(
      "skerry_hub_webhook_answers_total",
      "Pods that the API server asked about; failed ones were let in without a look.",
      REVIEWS.map((result) => ({ result })),
    );
    this.#streams = metrics.counter(
      "skerry_hub_passed_streams_total",
      "Streams between hubs: asked of another, served for one, forwarded to one, taken from one.",
      ROLES.map((role) => ({ role })),
    );
    metrics.gauge("skerry_hub_leader", "1 while this hub leads.", () => [
      { value: this.#leading ? 1 : 0 },
    ]);
  }

  /** Told when this hub begins to lead and when it leads no more. */
  readonly onLeading = (leading: boolean): void => {
    this.#leading = leading;
  };

  /** Told of every answer to the API server about a pod. */
  readonly onReview = (result: Reviewed): void => this.#reviews.add(1, { result });

  /** Told of every stream between two hubs. */
  readonly onPassed = (role: PassedStream): void => this.#streams.add(1, { role });

  /** Shows what can be read when somebody asks. */
  show({ client, presence, podRequests }: ClusterParts): void {
    this.pods.show(podRequests);
    this.#gauge("skerry_hub_replicas", "Hubs of this cluster that are alive, as this one sees.", {
      read: () => presence.others().length + 1,
    });
    this.#gauge("skerry_hub_api_calls_running", "Calls of the API server under way.", {
      read: () => client.load.calls,
    });
    this.#gauge("skerry_hub_api_calls_waiting", "Calls that wait for others to end.", {
      read: () => client.load.waiting,
    });
    this.#gauge("skerry_hub_watches", "Watches of the API server that are open.", {
      read: () => client.load.watches,
    });
  }

  #gauge(name: string, help: string, { read }: { readonly read: () => number }): void {
    this.#metrics.gauge(name, help, () => [{ value: read() }]);
  }
}
