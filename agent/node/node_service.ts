import { isDeepStrictEqual } from "node:util";
import { conditionOf, type Node, RESOURCES, type Taint } from "../../core/api/mod.ts";
import {
  type Clock,
  fromTime,
  type Logger,
  minutes,
  type Ms,
  ms,
  seconds,
  type Service,
} from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import { loadAddresses, type MachineFacts } from "./facts.ts";
import { type NodeEvent, nodeEvents } from "./node_events.ts";
import { type NodeInputs, nodeObject } from "./node_object.ts";
import { withTaints } from "./register_taints.ts";

/** What the node learns anew with each look. */
export interface NodeProbes {
  /** `undefined` where the node runs functions only. */
  readonly runtime?: (signal: AbortSignal) => Promise<NonNullable<NodeInputs["runtime"]>>;
  /** Engine of the runner, e.g. `wasmtime 50.0.1`; `undefined` while it does not answer. */
  readonly engine: (signal: AbortSignal) => Promise<string | undefined>;
  readonly disk: () => Promise<NodeInputs["disk"]>;
  /** What others know of the node. */
  readonly rest: (disk: NodeInputs["disk"]) => Pick<
    NodeInputs,
    "extended" | "images" | "kept" | "pressures" | "strays"
  >;
}

/** Options of {@linkcode NodeStatus}. */
export interface NodeServiceOptions {
  readonly name: string;
  readonly facts: MachineFacts;
  /** Fixed address; found when empty. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the Node is made with; whoever removes one later has the last word. */
  readonly taints: readonly Taint[];
  readonly version: string;
  readonly store: LocalStore;
  readonly probes: NodeProbes;
  readonly clock: Clock;
  readonly log: Logger;
  /** Sends the Node up, in the transaction that wrote it. */
  readonly report: (tx: Tx, node: Node) => void;
  /** Users should see this; called in the transaction that wrote what it is about. */
  readonly event: (tx: Tx, event: NodeEvent) => void;
  /** Told when the machine's addresses change: the link should redial. */
  readonly onAddresses: () => void;
}

const EVERY = seconds(10);
/** Of many kicks in a row one look comes of each second. */
const KICK_GAP = seconds(1);
/** A Node without a change is reported so often, as by a kubelet (`nodeStatusReportFrequency`). */
const HEARTBEAT = minutes(5);
const MAX_PODS = 110;

/**
 * Keeps this node's own Node object true: looks every 10 s and when it is told to, writes and
 * reports what changed.
 */
export class NodeStatus implements Service {
  readonly name = "node-status";
  readonly onFailure = "restart";
  readonly #options: NodeServiceOptions;
  #shuttingDown = false;
  #kicked = false;
  #wake = (): void => {};

  constructor(options: NodeServiceOptions) {
    this.#options = options;
  }

  /** Looks now, e.g. because the container runtime has come or gone. */
  kick(): void {
    this.#kicked = true;
    this.#wake();
  }

  /** From now on the node is not ready: the machine goes down. */
  shutDown(): void {
    this.#shuttingDown = true;
    this.kick();
  }

  /** See {@linkcode Service}. Ready when the Node was written once. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    let { addresses } = this.#options.facts;
    while (!signal.aborted) {
      this.#kicked = false;
      const now = loadAddresses();
      if (!isDeepStrictEqual(now, addresses)) {
        addresses = now;
        this.#options.onAddresses();
      }
      await this.#look(addresses, signal);
      ready();
      await this.#pause(KICK_GAP, signal, () => false);
      await this.#pause(ms(EVERY - KICK_GAP), signal, () => this.#kicked);
    }
  }

  async #look(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const { clock, log, name, probes, ...options } = this.#options;
    const disk = await probes.disk();
    const inputs: NodeInputs = {
      ...options,
      name,
      facts: { ...options.facts, addresses },
      address: options.address || (addresses[0] ?? "127.0.0.1"),
      runtime: await probes.runtime?.(signal),
      engine: await probes.engine(signal),
      maxPods: MAX_PODS,
      shuttingDown: this.#shuttingDown,
      disk,
      ...probes.rest(disk),
    };
    const changed = writeNode(this.#options, inputs, clock.now());
    if (changed) log.info("node status changed", { node: name });
  }

  /** Waits, at most until `early` says so after a kick. */
  async #pause(span: Ms, signal: AbortSignal, early: () => boolean): Promise<void> {
    if (early() || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const onAbort = (): void => resolve();
    this.#wake = () => early() && resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    using _timer = this.#options.clock.timer(span, resolve);
    await promise;
    signal.removeEventListener("abort", onAbort);
    this.#wake = () => {};
  }
}

/**
 * Writes the Node when it differs from the stored one, and reports it then and every 5 min. Returns
 * whether it differed.
 */
export function writeNode(
  options: Pick<NodeServiceOptions, "store" | "report" | "event" | "name" | "taints">,
  inputs: NodeInputs,
  now: Ms,
): boolean {
  return options.store.transact((tx) => {
    const before = tx.get({ resource: RESOURCES.nodes, name: options.name }) as Node | undefined;
    const next = nodeObject(inputs, before, now);
    const same = before !== undefined &&
      isDeepStrictEqual(withoutTimes(before), withoutTimes(next)) &&
      Object.entries(next.metadata.labels ?? {})
        .every(([key, value]) => before.metadata.labels?.[key] === value);
    if (same && !isStale(before, now)) return false;
    const metadata = { ...before?.metadata, ...next.metadata };
    metadata.labels = { ...before?.metadata.labels, ...next.metadata.labels };
    const { spec } = before ?? withTaints(next, options.taints);
    const node: Node = { ...next, metadata, spec: spec ?? {} };
    tx.put(RESOURCES.nodes, node);
    options.report(tx, node);
    const conditions = [before, next].map((one) => one?.status?.conditions ?? []);
    const [old = [], fresh = []] = conditions;
    for (const event of nodeEvents(options.name, old, fresh)) options.event(tx, event);
    return !same;
  });
}

/** The status as it counts for a change: a heartbeat is none. */
function withoutTimes({ status }: Node): unknown {
  const conditions = status?.conditions?.map(({ lastHeartbeatTime: _, ...rest }) => rest);
  return { ...status, conditions };
}

/** Whether the last report was long ago, or lies ahead because the clock was set back. */
function isStale(node: Node, now: Ms): boolean {
  const at = fromTime(conditionOf(node, "Ready")?.lastHeartbeatTime);
  return at === undefined || Math.abs(now - at) >= HEARTBEAT;
}
