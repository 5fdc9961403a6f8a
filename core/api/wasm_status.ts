import { type Ms, toTime } from "../base/mod.ts";
import type { Condition } from "./object.ts";
import type {
  WasmCounters,
  WasmFunction,
  WasmFunctionNodeStatus,
  WasmFunctionStatus,
} from "./wasm_function.ts";

/** Most nodes that a function's status lists; the counts are of all. */
const MAX_NODES = 100;

/**
 * Puts one node's report into the status of a function: replaces the entry of that node and works
 * out the conditions and counts anew. Without `report` the node is taken out.
 */
export function mergeWasmStatus(
  fn: WasmFunction,
  change: { readonly node: string; readonly report?: WasmFunctionNodeStatus },
  options: { readonly now: Ms; readonly desiredNodes?: number },
): WasmFunctionStatus {
  const before = fn.status ?? {};
  const others = (before.nodes ?? []).filter(({ name }) => name !== change.node);
  const nodes = [...others, ...(change.report ? [change.report] : [])]
    .sort((a, b) => a.name < b.name ? -1 : 1).slice(0, MAX_NODES);
  const ready = nodes.filter((node) => node.ready);
  const desired = options.desiredNodes ?? nodes.length;
  const worst = nodes.find((node) => !node.ready || node.reason !== "Serving") ?? ready[0];
  const allReady = nodes.length > 0 && ready.length >= desired;
  const condition: Condition = {
    type: "Ready",
    status: allReady ? "True" : nodes.length === 0 ? "Unknown" : "False",
    reason: worst?.reason ?? "Pending",
    message: messageOf(worst, ready.length, desired),
    ...(fn.metadata.generation === undefined ? {} : { observedGeneration: fn.metadata.generation }),
  };
  const digest = ready[0]?.digest;
  return {
    ...before,
    ...(fn.metadata.generation === undefined ? {} : { observedGeneration: fn.metadata.generation }),
    conditions: [withTransition(condition, before.conditions ?? [], options.now)],
    nodes,
    readyNodes: ready.length,
    desiredNodes: desired,
    invocations: sumCounters(nodes),
    ...(digest === undefined ? {} : { digest }),
  };
}

function messageOf(
  worst: WasmFunctionNodeStatus | undefined,
  ready: number,
  desired: number,
): string {
  const counts = `${ready} of ${desired} nodes serve it`;
  if (!worst || !worst.message) return counts;
  return `${counts}; node ${worst.name}: ${worst.message}`;
}

function withTransition(next: Condition, before: readonly Condition[], now: Ms): Condition {
  const last = before.find(({ type }) => type === next.type);
  const kept = last?.status === next.status ? last.lastTransitionTime : undefined;
  return { ...next, lastTransitionTime: kept ?? toTime(now) };
}

function sumCounters(nodes: readonly WasmFunctionNodeStatus[]): WasmCounters {
  const sum: WasmCounters = { requests: 0, errors: 0, timeouts: 0, traps: 0, rejected: 0 };
  for (const { invocations } of nodes) {
    if (!invocations) continue;
    sum.requests += invocations.requests;
    sum.errors += invocations.errors;
    sum.timeouts += invocations.timeouts;
    sum.traps += invocations.traps;
    sum.rejected += invocations.rejected;
  }
  return sum;
}
