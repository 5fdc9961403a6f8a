import { LABEL, type Observation } from "../runtimes/mod.ts";
import type { PodIndex } from "./pod_index.ts";
import type { PodRecords } from "./records.ts";

/**
 * Pods of ours that run without being known here, as the state folder was lost, and for which there
 * is evidence that they are to go. They are in the index afterwards.
 */
export function findOrphans(
  all: Observation,
  input: {
    readonly nodeName: string;
    readonly index: PodIndex;
    readonly records: PodRecords;
  },
): string[] {
  const { nodeName, index, records } = input;
  const found: string[] = [];
  for (const { labels, podUid: uid } of [...all.sandboxes, ...all.containers]) {
    if (labels[LABEL.node] !== nodeName || index.name(uid)) continue;
    const name = {
      namespace: labels[LABEL.podNamespace] ?? "default",
      name: labels[LABEL.podName] ?? "",
    };
    if (!records.isGone(uid, name)) continue;
    index.addName(uid, name);
    found.push(uid);
  }
  return found;
}
