import {
  type Event,
  KUBELET,
  type KubeObject,
  type Node,
  type Pod,
  RESOURCES,
  type Taint,
  type WasmFunction,
  type WasmFunctionNodeStatus,
} from "../../core/api/mod.ts";
import { type Clock, fromTime, toTime } from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { isFromManifest } from "../manifests/mod.ts";
import { type NodeEvent, withTaints } from "../node/mod.ts";
import type { PodEvent, PodReports } from "../pods/mod.ts";
import { type CorrelatedEvent, EventCorrelator } from "./event_correlator.ts";

/** Where intents go: the outbox of the link, or nowhere on a node without a hub. */
export type Enqueue = (tx: Tx, intent: NewIntent) => void;

/** What the pods room reports, as intents of docs/protocol.md 5. */
export function podReports(enqueue: Enqueue, events: EventReports): PodReports {
  return {
    status: (tx, pod) => enqueue(tx, podStatusIntent(tx, pod)),
    gone: (tx, pod) => {
      enqueue(tx, { key: `pod-gone/${pod.metadata.uid}`, kind: "pod-gone", body: refOf(pod) });
      events.forget(pod);
    },
    event: (tx, pod, event) => events.pod(tx, pod, event),
  };
}

/** The intent that tells the hub how a pod stands; of a static pod the hub keeps a mirror. */
export function podStatusIntent(tx: Tx, pod: Pod): NewIntent {
  if (isFromManifest(tx, pod)) {
    return { key: `pod-mirror/${pod.metadata.uid}`, kind: "pod-mirror", body: { pod } };
  }
  return {
    key: `pod-status/${pod.metadata.uid}`,
    kind: "pod-status",
    body: { ...refOf(pod), status: pod.status ?? {} },
  };
}

/**
 * The intent that tells the hub how the node stands, with the taints that it registers with: the hub
 * takes the spec only when it makes the Node, e.g. because somebody has deleted it.
 */
export function nodeIntent(node: Node, taints: readonly Taint[]): NewIntent {
  return { key: "node", kind: "node", body: { node: withTaints(node, taints) } };
}

/** The intent that tells the hub how a function stands on this node. */
export function functionStatusIntent(
  fn: WasmFunction,
  status: WasmFunctionNodeStatus,
  node: string,
): NewIntent {
  const { namespace = "default", name, uid = "" } = fn.metadata;
  return {
    key: `function-status/${uid}`,
    kind: "function-status",
    body: { namespace, name, uid, node: { ...status, name: node } },
  };
}

/**
 * Tells the hub again how everything stands. Called when the link has come up, and when the hub asks:
 * somebody may have marked the node and its pods as not ready, and only a report undoes that.
 */
export function reportAll(
  { store, enqueue, node, taints }: {
    readonly store: LocalStore;
    readonly enqueue: Enqueue;
    readonly node: string;
    /** Those that the node registers with. */
    readonly taints: readonly Taint[];
  },
): void {
  store.transact((tx) => {
    const own = tx.get({ resource: RESOURCES.nodes, name: node });
    if (own) enqueue(tx, nodeIntent(own as Node, taints));
    for (const pod of tx.list(RESOURCES.pods) as Pod[]) {
      const known = pod.status?.phase !== undefined && pod.spec.nodeName === node;
      if (known) enqueue(tx, podStatusIntent(tx, pod));
    }
  });
}

function refOf(pod: Pod): { namespace: string; name: string; uid: string } {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  return { namespace, name, uid };
}

/** What an Event is about. */
type Involved = {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly fieldPath?: string;
};

/** Events that the node keeps for its own API; by number alone, as it may be alone for long. */
const EVENTS_KEPT = 500;
/** How seldom they are counted, in Events told. */
const EVENTS_CHECK = 64;

/**
 * Tells users what happened: as Kubernetes Events, as few as a kubelet would make. The hub gets
 * them, and the node's own store, for whoever stands before the gateway.
 */
export class EventReports {
  readonly #enqueue: Enqueue;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #events = new EventCorrelator();
  #told = 0;

  constructor(enqueue: Enqueue, node: string, clock: Clock) {
    this.#enqueue = enqueue;
    this.#node = node;
    this.#clock = clock;
  }

  /** An Event of a pod. */
  pod(tx: Tx, pod: Pod, event: PodEvent): void {
    const { fieldPath } = event;
    const where = fieldPath === undefined ? {} : { fieldPath };
    this.#tell(tx, { kind: "Pod", ...refOf(pod), ...where }, event);
  }

  /** An Event of this node. Like the kubelet's it names the node where others have a UID. */
  node(tx: Tx, event: NodeEvent): void {
    this.#tell(tx, { kind: "Node", name: this.#node, uid: this.#node }, event);
  }

  /** Forgets a pod that is gone. */
  forget(pod: Pod): void {
    this.#events.forget(refOf(pod).uid);
  }

  #tell(tx: Tx, involved: Involved, event: NodeEvent): void {
    const { type, reason, message } = event;
    const { uid, fieldPath } = involved;
    const raw = { uid, type, reason, message, ...(fieldPath === undefined ? {} : { fieldPath }) };
    const told = this.#events.correlate(raw, this.#clock.now());
    if (!told) return;
    const object = eventObject(involved, event, told, this.#node);
    const { namespace, name } = object.metadata;
    // The hub's copy gets uid and time there.
    const own = { uid: told.series, creationTimestamp: toTime(told.firstTimestamp) };
    tx.put(RESOURCES.events, { ...object, metadata: { ...object.metadata, ...own } });
    if (this.#told++ % EVENTS_CHECK === 0) dropOldest(tx);
    this.#enqueue(tx, {
      key: `event/${namespace}/${name}`,
      kind: "event",
      body: { event: object },
    });
  }
}

/** Of many Events the newest tell most. */
function dropOldest(tx: Tx): void {
  const events = tx.list(RESOURCES.events) as Event[];
  const oldest = events.toSorted((a, b) => at(a) - at(b)).slice(0, -EVENTS_KEPT);
  for (const { metadata: { namespace = "", name } } of oldest) {
    tx.purge({ resource: RESOURCES.events, namespace, name });
  }
}

function at({ lastTimestamp }: Event): number {
  return fromTime(lastTimestamp) ?? 0;
}

function eventObject(
  involved: Involved,
  { type, reason }: NodeEvent,
  told: CorrelatedEvent,
  node: string,
): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      // A name has at most 253 characters, and the word takes 17 of them.
      name: `${involved.name.slice(0, 236)}.${told.series}`,
      namespace: involved.namespace ?? "default",
    },
    involvedObject: { apiVersion: "v1", ...involved },
    reason,
    message: told.message,
    type,
    source: { component: KUBELET, host: node },
    reportingComponent: KUBELET,
    reportingInstance: node,
    firstTimestamp: toTime(told.firstTimestamp),
    lastTimestamp: toTime(told.lastTimestamp),
    count: told.count,
  };
}
