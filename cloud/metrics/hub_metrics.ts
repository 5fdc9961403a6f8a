import {
  addProcessMetrics,
  type Clock,
  type Counter,
  type Histogram,
  Metrics,
  type Ms,
  type Supervisor,
} from "../../core/base/mod.ts";
import type { Handler } from "../../core/http/mod.ts";
import { CLOSE } from "../../core/link/mod.ts";
import { processUsage, VERSION } from "../../core/parts/mod.ts";
import { INTENT_KINDS } from "../../core/sync/mod.ts";
import type { Hub, HubObserver, IntentOutcome } from "../hub/mod.ts";
import type { LeaseObserver } from "../nodes/mod.ts";
import { KUBELET_VERBS, kubeletVerb } from "./kubelet_verb.ts";
import { ClusterMetrics } from "./cluster_metrics.ts";

/** What is shown of a hub. */
export interface HubParts {
  readonly hub: Pick<Hub, "nodes" | "streams" | "unacked" | "followed" | "draining">;
  readonly supervisor: Pick<Supervisor, "states">;
  /** When the serving certificate ends, in seconds since 1970. */
  readonly expiry: () => number;
}

const OUTCOMES: readonly IntentOutcome[] = ["applied", "refused", "retried"];
const KINDS = [...INTENT_KINDS, "other"];
/** Names of close codes; what a peer made up is `other`. */
const REASONS: ReadonlyMap<number, string> = new Map(
  Object.entries(CLOSE).map(([name, code]) => [code, snake(name)]),
);
const RESULTS = ["ok", "refused", "failed"];

/** What a hub counts of its nodes. Nothing has a node's name: there are thousands of them. */
export class HubMetrics implements HubObserver, LeaseObserver {
  readonly metrics: Metrics = new Metrics();
  readonly #clock: Clock;
  readonly #begun: Counter;
  readonly #ended: Counter;
  readonly #intents: Counter;
  readonly #intentTime: Histogram;
  readonly #renewals: Counter;
  readonly #calls: Counter;
  readonly #tokens: Counter;
  #leases: ReadonlyMap<string, Ms> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
    const { metrics } = this;
    this.#begun = metrics.counter("skerry_hub_sessions_begun_total", "Sessions that came up.");
    this.#ended = metrics.counter(
      "skerry_hub_sessions_ended_total",
      "Sessions that ended, those that never came up among them, by how.",
      [...REASONS.values(), "other"].map((reason) => ({ reason })),
    );
    this.#intents = metrics.counter(
      "skerry_hub_intents_total",
      "Answers to what nodes want written: applied, refused for good, or to be sent again.",
      KINDS.flatMap((kind) => OUTCOMES.map((outcome) => ({ kind, outcome }))),
    );
    this.#intentTime = metrics.histogram(
      "skerry_hub_intent_seconds",
      "Time from the arrival of an intent to its answer, in seconds.",
    );
    this.#renewals = metrics.counter(
      "skerry_hub_lease_renewals_total",
      "Renewals of Leases of connected nodes.",
      ["done", "failed"].map((result) => ({ result })),
    );
    this.#calls = metrics.counter(
      "skerry_hub_kubelet_calls_total",
      "Calls of nodes' kubelets at this hub, by what was asked.",
      KUBELET_VERBS.flatMap((verb) => RESULTS.map((result) => ({ verb, result }))),
    );
    this.#tokens = metrics.counter(
      "skerry_hub_tokens_total",
      "Service account tokens that nodes asked for.",
      ["issued", "failed"].map((result) => ({ result })),
    );
  }

  /** What a hub of a Kubernetes cluster counts besides; call it once. */
  forCluster(): ClusterMetrics {
    return new ClusterMetrics(this.metrics, this.#clock);
  }

  sessionBegan(): void {
    this.#begun.add();
  }

  sessionEnded(code: number): void {
    this.#ended.add(1, { reason: REASONS.get(code) ?? "other" });
  }

  intent(kind: string, outcome: IntentOutcome, took: Ms): void {
    this.#intents.add(1, { kind: KINDS.includes(kind) ? kind : "other", outcome });
    this.#intentTime.observe(took / 1000);
  }

  renewing(renewed: ReadonlyMap<string, Ms>): void {
    this.#leases = renewed;
  }

  renewals({ done, failed }: { readonly done: number; readonly failed: number }): void {
    this.#renewals.add(done, { result: "done" });
    this.#renewals.add(failed, { result: "failed" });
  }

  /** A handler of kubelet paths that is counted. */
  countCalls(handler: Handler): Handler {
    return async (request, info) => {
      const verb = kubeletVerb(new URL(request.url).pathname);
      let result = "failed";
      try {
        const response = await handler(request, info);
        result = response.status < 400 ? "ok" : response.status < 500 ? "refused" : "failed";
        return response;
      } finally {
        this.#calls.add(1, { verb, result });
      }
    };
  }

  /** Counts the tokens that `issue` makes. */
  countTokens<A extends unknown[], T>(
    issue: (...args: A) => Promise<T>,
  ): (...args: A) => Promise<T> {
    return async (...args) => {
      let result = "failed";
      try {
        const token = await issue(...args);
        result = "issued";
        return token;
      } finally {
        this.#tokens.add(1, { result });
      }
    };
  }

  /** Shows what can be read when somebody asks. */
  show({ hub, supervisor, expiry }: HubParts): void {
    const { metrics } = this;
    const services = () => supervisor.states();
    addProcessMetrics(metrics, { part: "hub", version: VERSION, services, usage: processUsage });
    const gauge = (name: string, help: string, read: () => number): void =>
      metrics.gauge(name, help, () => [{ value: read() }]);
    gauge("skerry_hub_connected_nodes", "Nodes whose link is up.", () => hub.nodes().length);
    gauge(
      "skerry_hub_streams",
      "Streams to nodes that are open: logs, exec and others.",
      () => hub.streams,
    );
    gauge(
      "skerry_hub_unacked_messages",
      "Messages to nodes that they have not committed yet, of all nodes.",
      () => hub.unacked,
    );
    gauge(
      "skerry_hub_followed_objects",
      "Secrets, ConfigMaps and what claims lead to, followed by name.",
      () => hub.followed,
    );
    gauge(
      "skerry_hub_draining",
      "1 while this hub sends its nodes away and takes none.",
      () => hub.draining ? 1 : 0,
    );
    gauge(
      "skerry_hub_lease_oldest_seconds",
      "Age of the oldest Lease of a connected node, in seconds.",
      () => this.#oldest(),
    );
    gauge(
      "skerry_hub_certificate_expiry_timestamp_seconds",
      "When the hub's serving certificate ends, since 1970.",
      expiry,
    );
  }

  #oldest(): number {
    const now = this.#clock.monotonic();
    let oldest = now;
    for (const at of this.#leases.values()) if (at < oldest) oldest = at;
    return (now - oldest) / 1000;
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
