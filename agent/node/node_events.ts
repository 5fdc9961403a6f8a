import type { Condition } from "../../core/api/mod.ts";

/** What users see of a step of the node: an Event of the Node. */
export interface NodeEvent {
  readonly type: "Normal" | "Warning";
  /** The kubelet's reason. */
  readonly reason: string;
  readonly message: string;
}

/** The kubelet's reasons for a condition that has become True, and for one that is not. */
const REASONS: Readonly<Record<string, readonly [yes: string, no: string]>> = {
  Ready: ["NodeReady", "NodeNotReady"],
  MemoryPressure: ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
  DiskPressure: ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
  PIDPressure: ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
};

/** What to tell of conditions that have changed. */
export function nodeEvents(
  node: string,
  before: readonly Condition[],
  after: readonly Condition[],
): NodeEvent[] {
  const events: NodeEvent[] = [];
  for (const { type, status } of after) {
    const reasons = Object.hasOwn(REASONS, type) ? REASONS[type] : undefined;
    if (!reasons || before.find((one) => one.type === type)?.status === status) continue;
    const reason = reasons[status === "True" ? 0 : 1];
    events.push({ type: "Normal", reason, message: `Node ${node} status is now: ${reason}` });
  }
  return events;
}
