import { type Ms, toTime } from "../base/mod.ts";
import type { Condition } from "./object.ts";
import type {
  WasmCounters,
  WasmFunction,
  WasmFunctionNodeBrief,
  WasmFunctionNodeStatus,
  WasmFunctionStatus,
} from "./wasm_function.ts";

/** Most nodes that a function's status describes in full; of the others it keeps what the counts need. */
const MAX_NODES = 100;

/**
 * Puts one node's report into the status of a function: replaces the entry of that node and works
 * out the conditions and counts anew. Without `report` the node is taken out. `desiredNodes` is
 * known to the hub only; without it what it said last holds, or the nodes that reported.
 */
export function mergeWasmStatus(
  fn: WasmFunction,
  change: { readonly node: string; readonly report?: WasmFunctionNodeStatus },
  options: { readonly now: Ms; readonly desiredNodes?: number },
): WasmFunctionStatus {
  const before = entriesOf(fn);
  const others = before.filter(({ name }) => name !== change.node);
  const entries = [...others, ...(change.report ? [change.report] : [])];
  const left = entries.length < before.length ? 1 : 0;
  const desired = Math.max((fn.status?.desiredNodes ?? 0) - left, entries.length);
  return summarize(fn, entries, {
    now: options.now,
    desired: options.desiredNodes ?? desired,
    generation: fn.metadata.generation,
  });
}

/** Takes nodes out of a function's status and works the summary out anew for `desiredNodes`. */
export function settleWasmStatus(
  fn: WasmFunction,
  nodes: { readonly drop: ReadonlySet<string>; readonly desiredNodes: number },
  options: { readonly now: Ms },
): WasmFunctionStatus {
  const entries = entriesOf(fn).filter(({ name }) => !nodes.drop.has(name));
  return summarize(fn, entries, {
    now: options.now,
    desired: nodes.desiredNodes,
    // A new generation is observed when a node reports on it, or when there is none to do so.
    generation: entries.length > 0 ? fn.status?.observedGeneration : fn.metadata.generation,
  });
}

/** Names of the nodes that the status of a function has something of. */
export function wasmStatusNodes(fn: WasmFunction): string[] {
  return entriesOf(fn).map(({ name }) => name);
}

type Entry = WasmFunctionNodeStatus | WasmFunctionNodeBrief;

function entriesOf({ status }: WasmFunction): Entry[] {
  return [...status?.nodes ?? [], ...status?.otherNodes ?? []];
}

function byName(a: Entry, b: Entry): number {
  return a.name < b.name ? -1 : 1;
}

/** The counts are of all entries, before the list is cut. */
function summarize(
  fn: WasmFunction,
  entries: readonly Entry[],
  options: {
    readonly now: Ms;
    readonly desired: number;
    readonly generation: number | undefined;
  },
): WasmFunctionStatus {
  const { digest: _, otherNodes: __, ...before } = fn.status ?? {};
  const { desired, generation } = options;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const all = entries.toSorted(byName);
  const ready = all.filter((node) => node.ready);
  const condition: Condition = {
    type: "Ready",
    ...verdictOf(fn, { all, ready: ready.length, desired }),
    ...observed,
  };
  // Nodes that have something to tell come before those on which all is well.
  const ordered = all.length <= MAX_NODES ? all : [...all.filter((node) => !node.ready), ...ready];
  const others = ordered.slice(MAX_NODES).toSorted(byName).map(briefOf);
  const digest = ready.map((node) => (node as WasmFunctionNodeStatus).digest).find(Boolean);
  return {
    ...before,
    ...observed,
    conditions: [withTransition(condition, fn.status?.conditions ?? [], options.now)],
    nodes: ordered.slice(0, MAX_NODES).toSorted(byName),
    ...(others.length > 0 ? { otherNodes: others } : {}),
    readyNodes: ready.length,
    desiredNodes: desired,
    invocations: sumCounters(all),
    ...(digest === undefined ? {} : { digest }),
  };
}

function briefOf({ name, ready, reason, invocations }: Entry): WasmFunctionNodeBrief {
  return { name, ready, reason, ...(invocations ? { invocations } : {}) };
}

function verdictOf(
  fn: WasmFunction,
  nodes: { readonly all: readonly Entry[]; readonly ready: number; readonly desired: number },
): Pick<Condition, "status" | "reason" | "message"> {
  const { all, ready, desired } = nodes;
  const counts = `${ready} of ${desired} nodes serve it`;
  if (desired === 0 && all.length === 0) {
    const help = fn.spec.placement
      ? "no node matches spec.placement: label a node, or change the placement"
      : "there is no node: join one";
    return { status: "False", reason: "NoNodes", message: help };
  }
  const worst = all.find((node) => !node.ready || node.reason !== "Serving");
  const status = all.length === 0 ? "Unknown" : ready >= desired ? "True" : "False";
  if (worst) {
    const message = (worst as WasmFunctionNodeStatus).message;
    const detail = message ? `; node ${worst.name}: ${message}` : "";
    return { status, reason: worst.reason, message: `${counts}${detail}` };
  }
  if (status === "True") return { status, reason: "Serving", message: counts };
  return { status, reason: "Pending", message: `${counts}; the others have not reported yet` };
}

function withTransition(next: Condition, before: readonly Condition[], now: Ms): Condition {
  const last = before.find(({ type }) => type === next.type);
  const kept = last?.status === next.status ? last.lastTransitionTime : undefined;
  return { ...next, lastTransitionTime: kept ?? toTime(now) };
}

function sumCounters(nodes: readonly Entry[]): WasmCounters {
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
