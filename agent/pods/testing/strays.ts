import { type Clock, silentLogger } from "../../../core/base/mod.ts";
import type { LocalStore } from "../../../core/store/mod.ts";
import { LABEL, type Observation } from "../../runtimes/mod.ts";
import { GONE_SPACE, type PodManagerOptions } from "../options.ts";
import { PodIndex, type PodName } from "../pod_index.ts";
import { PodRecords } from "../records.ts";
import { Strays } from "../strays.ts";

/** What {@linkcode watchStrays} works with. */
export interface StrayWatchOptions {
  readonly node: string;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly synced: () => boolean;
  readonly boundPods: NonNullable<PodManagerOptions["boundPods"]>;
}

/** Judges strays as the pods room does, for a node whose pods are played by somebody else. */
export interface StrayWatch {
  /** Takes over what runs, by UID. */
  see(running: ReadonlyMap<string, PodName>): void;
  /** Whether the end of a pod is written down. */
  isBuried(uid: string): boolean;
}

/** Makes a {@linkcode StrayWatch}, for one life of an agent's process. */
export function watchStrays(options: StrayWatchOptions): StrayWatch {
  const { node, store, signal } = options;
  const report = { status: () => {}, event: () => {}, gone: () => {} };
  const strays = new Strays({
    manager: { ...options, log: silentLogger, config: { nodeName: node } },
    index: new PodIndex(),
    records: new PodRecords(store, report, () => {}),
    signal,
    add: () => {},
  });
  return {
    see: (running) => strays.see(observed(node, running)),
    isBuried: (uid) => store.transact((tx) => tx.row(GONE_SPACE, uid)) !== undefined,
  };
}

function observed(node: string, running: ReadonlyMap<string, PodName>): Observation {
  const sandboxes = [...running].map(([podUid, { namespace, name }]) => ({
    id: podUid,
    ...{ podUid, podName: name, podNamespace: namespace },
    attempt: 0,
    ready: true,
    createdAt: 0 as never,
    ips: [],
    labels: { [LABEL.node]: node, [LABEL.podNamespace]: namespace, [LABEL.podName]: name },
    annotations: {},
  }));
  return { sandboxes, containers: [] };
}
