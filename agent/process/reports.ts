import {
  type KubeObject,
  type Node,
  type Pod,
  RESOURCES,
  type WasmFunction,
  type WasmFunctionNodeStatus,
} from "../../core/api/mod.ts";
import { type Clock, toTime } from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { isFromManifest } from "../manifests/mod.ts";
import type { PodEvent, PodReports } from "../pods/mod.ts";

/** Where intents go: the outbox of the link, or nowhere on a node without a hub. */
export type Enqueue = (tx: Tx, intent: NewIntent) => void;

/** What the pods room reports, as intents of docs/protocol.md 5. */
export function podReports(enqueue: Enqueue, node: string, clock: Clock): PodReports {
  return {
    status: (tx, pod) => enqueue(tx, podStatusIntent(tx, pod)),
    gone: (tx, pod) =>
      enqueue(tx, { key: `pod-gone/${pod.metadata.uid}`, kind: "pod-gone", body: refOf(pod) }),
    event: (tx, pod, event) => {
      const object = eventObject(pod, event, node, toTime(clock.now()));
      enqueue(tx, {
        key: `event/${object.metadata.namespace}/${object.metadata.name}`,
        kind: "event",
        body: { event: object },
      });
    },
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

/** The intent that tells the hub how the node stands. */
export function nodeIntent(node: Node): NewIntent {
  return { key: "node", kind: "node", body: { node } };
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
 * Tells the hub again how everything stands. Called when the link has come up: while it was down the
 * hub may have marked the node and its pods as not ready, and only a report undoes that.
 */
export function reportAll(store: LocalStore, enqueue: Enqueue, node: string): void {
  store.transact((tx) => {
    const own = tx.get({ resource: RESOURCES.nodes, name: node });
    if (own) enqueue(tx, nodeIntent(own as Node));
    for (const pod of tx.list(RESOURCES.pods) as Pod[]) {
      if (pod.status?.phase !== undefined && pod.spec.nodeName === node) {
        enqueue(tx, podStatusIntent(tx, pod));
      }
    }
  });
}

function refOf(pod: Pod): { namespace: string; name: string; uid: string } {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  return { namespace, name, uid };
}

/** A Kubernetes Event about a pod. The same reason and message keep one name, so that they count up. */
function eventObject(pod: Pod, event: PodEvent, node: string, time: string): KubeObject {
  const { namespace, name, uid } = refOf(pod);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      // A name has at most 253 characters, and the hash takes 17 of them.
      name: `${name.slice(0, 236)}.${hash(`${uid}${event.reason}${event.message}`)}`,
      namespace,
    },
    involvedObject: { apiVersion: "v1", kind: "Pod", name, namespace, uid },
    reason: event.reason,
    message: event.message,
    type: event.type,
    source: { component: "skerry-agent", host: node },
    reportingComponent: "skerry-agent",
    reportingInstance: node,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

/** FNV-1a in 64 bits as hex: names one event among a pod's. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, "0");
}
