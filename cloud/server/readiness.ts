import type { ServiceState } from "../../core/base/mod.ts";

/** What others reach a hub by: without one of these it is of no use to them. */
const SERVING: ReadonlySet<string> = new Set([
  "links",
  "kubelet-door",
  "kubelet-ports",
  "webhook",
  "node-listener",
]);

/**
 * Why a hub is not ready. Until all its services have been ready at once, any of them that is not:
 * it has not read the cluster yet. From then on only those that serve others: what the rest misses is
 * the API server, which all hubs miss at the same time, and hubs that all call themselves not ready
 * leave the nodes nowhere to go (docs/decisions/046-hubs-without-api-server.md).
 */
export class Readiness {
  readonly #states: () => readonly ServiceState[];
  #begun = false;

  constructor(states: () => readonly ServiceState[]) {
    this.#states = states;
  }

  /** A sentence for each reason; none when it is ready. */
  problems(): string[] {
    const waiting = this.#states().filter(({ phase }) => phase !== "ready");
    if (waiting.length === 0) this.#begun = true;
    return waiting.filter(({ name }) => !this.#begun || SERVING.has(name))
      .map(({ name, phase }) => `service ${name} is ${phase}`);
  }
}
