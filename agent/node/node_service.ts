import { isDeepStrictEqual } from "node:util";
import { type Node, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  type Logger,
  type Ms,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import { loadAddresses, type MachineFacts } from "./facts.ts";
import { type NodeInputs, nodeObject } from "./node_object.ts";

/** What the node learns about its runtime and its runner from time to time. */
export interface NodeProbes {
  /** `undefined` where the node runs functions only. */
  readonly runtime?: (signal: AbortSignal) => Promise<NonNullable<NodeInputs["runtime"]>>;
  /** Engine of the runner, e.g. `wasmtime 50.0.1`; `undefined` while it does not answer. */
  readonly engine: (signal: AbortSignal) => Promise<string | undefined>;
}

/** Options of {@linkcode nodeService}. */
export interface NodeServiceOptions {
  readonly name: string;
  readonly facts: MachineFacts;
  /** Fixed address; found when empty. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly store: LocalStore;
  readonly probes: NodeProbes;
  readonly clock: Clock;
  readonly log: Logger;
  /** Sends the Node up, in the transaction that wrote it. */
  readonly report: (tx: Tx, node: Node) => void;
  /** Told when the machine's addresses change: the link should redial. */
  readonly onAddresses: () => void;
}

const EVERY = seconds(10);
const MAX_PODS = 110;

/** Keeps this node's own Node object true: looks every 10 s, writes and reports only what changed. */
export function nodeService(options: NodeServiceOptions): Service {
  return {
    name: "node-status",
    onFailure: "restart",
    async run(signal, ready) {
      let addresses = options.facts.addresses;
      while (!signal.aborted) {
        const now = loadAddresses();
        if (!isDeepStrictEqual(now, addresses)) {
          addresses = now;
          options.onAddresses();
        }
        const inputs: NodeInputs = {
          ...options,
          facts: { ...options.facts, addresses },
          address: options.address || (addresses[0] ?? "127.0.0.1"),
          runtime: await options.probes.runtime?.(signal),
          engine: await options.probes.engine(signal),
          maxPods: MAX_PODS,
        };
        const changed = writeNode(options, inputs, options.clock.now());
        if (changed) options.log.info("node status changed", { node: options.name });
        ready();
        try {
          await sleep(options.clock, EVERY, signal);
        } catch {
          return;
        }
      }
    },
  };
}

/** Writes the Node when it differs from the stored one. Returns whether it did. */
export function writeNode(
  options: Pick<NodeServiceOptions, "store" | "report" | "name">,
  inputs: NodeInputs,
  now: Ms,
): boolean {
  return options.store.transact((tx) => {
    const before = tx.get({ resource: RESOURCES.nodes, name: options.name }) as Node | undefined;
    const next = nodeObject(inputs, before, now);
    const same = before !== undefined && isDeepStrictEqual(before.status, next.status) &&
      Object.entries(next.metadata.labels ?? {})
        .every(([key, value]) => before.metadata.labels?.[key] === value);
    if (same) return false;
    const metadata = { ...before?.metadata, ...next.metadata };
    metadata.labels = { ...before?.metadata.labels, ...next.metadata.labels };
    const node: Node = { ...next, metadata, spec: before?.spec ?? {} };
    tx.put(RESOURCES.nodes, node);
    options.report(tx, node);
    return true;
  });
}
