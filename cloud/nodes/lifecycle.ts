import {
  type Condition,
  CONDITION_TAINTS,
  conditionsOf,
  conditionTaints,
  type Node,
  type Pod,
  type Taint,
  TAINTS,
  tolerates,
} from "../../core/api/mod.ts";
import { fromTime, type Ms, ms, seconds, toTime } from "../../core/base/mod.ts";

/** A node without a Lease renewal for this long is NotReady. */
export const GRACE = seconds(40);
/** A node may ask that its pods be evicted so many seconds after it fell silent. */
export const EVICT_AFTER = "skerry.dev/evict-after";
/** What a silent node said of itself last: its conditions as JSON. */
export const REPORTED = "skerry.dev/reported-conditions";

/** Taints that evict, beside keeping new pods away. */
const HEALTH: readonly string[] = [TAINTS.unreachable, TAINTS.notReady];

/** What there is to know of a node's health. */
export interface NodeFacts {
  readonly node: Node;
  /** When the node was last known to live: renewal of its Lease, or the start of this hub. */
  readonly lastAlive: Ms;
  readonly now: Ms;
}

/** What a node's object should say. */
export interface NodeVerdict {
  /** Whether the hub hears the node. */
  readonly alive: boolean;
  readonly conditions: readonly Condition[];
  readonly taints: readonly Taint[];
  /** The value for the annotation {@linkcode REPORTED}; `undefined` takes it away. */
  readonly reported: string | undefined;
  /** When to look again although nothing happens. */
  readonly again?: Ms;
}

/**
 * The conditions and taints of a node. Pure. While the node is heard its own conditions stand. When
 * it is not they become Unknown, as Kubernetes' node lifecycle controller does it, and what it said
 * last is kept beside: a node reports only changes, so when it is heard again that is true again.
 */
export function decideNode({ node, lastAlive, now }: NodeFacts): NodeVerdict {
  const silent = now - lastAlive;
  const alive = silent < GRACE;
  const before = conditionsOf(node);
  const kept = node.metadata.annotations?.[REPORTED];
  const conditions = alive ? restored(before, kept) : silenced(before, now);
  const told = before.filter(isReported);
  return {
    alive,
    conditions,
    taints: decideTaints(node.spec?.taints ?? [], conditions, now),
    // Written once, when the node falls silent: afterwards the conditions are ours, not the node's.
    reported: alive ? undefined : kept ?? (told.length > 0 ? JSON.stringify(told) : undefined),
    ...(alive ? { again: ms(lastAlive + GRACE - now) } : {}),
  };
}

/** Only conditions that agents report go Unknown; a foreign one is left as it is. */
const AGENT_TYPES = new Set(["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]);
const SILENT = "NodeStatusUnknown";

function isReported({ type, reason }: Condition): boolean {
  return AGENT_TYPES.has(type) && reason !== SILENT;
}

function silenced(conditions: readonly Condition[], now: Ms): Condition[] {
  const all = conditions.some(({ type }) => type === "Ready")
    ? conditions
    : [...conditions, { type: "Ready", status: "False" } as const];
  return all.map((condition) =>
    !isReported(condition) ? condition : {
      ...condition,
      status: "Unknown",
      reason: SILENT,
      message: "The hub does not hear the node: nothing has come from it for 40 s.",
      lastTransitionTime: toTime(now),
    }
  );
}

/** The conditions with those that the hub set to Unknown as the node last reported them. */
function restored(
  conditions: readonly Condition[],
  kept: string | undefined,
): readonly Condition[] {
  if (!conditions.some(({ reason }) => reason === SILENT)) return conditions;
  const old = readConditions(kept);
  return conditions.map((condition) =>
    condition.reason === SILENT
      ? old.find(({ type }) => type === condition.type) ?? condition
      : condition
  );
}

/** Anybody with the right to may have changed the annotation: what is no list counts as none. */
function readConditions(text: string | undefined): Condition[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter((one) => typeof one?.type === "string") : [];
  } catch {
    return [];
  }
}

/** The taints with those that follow from conditions set right; all others and their order stay. */
function decideTaints(
  taints: readonly Taint[],
  conditions: readonly Condition[],
  now: Ms,
): readonly Taint[] {
  const others = taints.filter((taint) => !CONDITION_TAINTS.includes(taint.key));
  const wanted = wantedTaints(conditions).map(({ key, effect }): Taint =>
    taints.find((taint) => taint.key === key && taint.effect === effect) ??
      { key, effect, timeAdded: toTime(now) }
  );
  const right = taints.length === others.length + wanted.length &&
    wanted.every((taint) => taints.includes(taint));
  return right ? taints : [...others, ...wanted];
}

/** As the node lifecycle controller has them; a node that never said so is not ready. */
function wantedTaints(conditions: readonly Condition[]): Pick<Taint, "key" | "effect">[] {
  const ready = conditions.some(({ type }) => type === "Ready");
  const keys = conditionTaints(conditions);
  return [...ready ? [] : [TAINTS.notReady], ...keys].flatMap((key) => [
    { key, effect: "NoSchedule" } as const,
    ...(HEALTH.includes(key) ? [{ key, effect: "NoExecute" } as const] : []),
  ]);
}

/** What is to be done about a pod of a node. */
export type PodVerdict =
  | { readonly do: "keep"; readonly again?: Ms }
  /** Write these conditions. */
  | { readonly do: "mark"; readonly conditions: Condition[] }
  | { readonly do: "evict"; readonly because: string };

/**
 * What becomes of a pod on a node with these taints. Pure. An unreachable edge node goes on running
 * its pods, so nothing is evicted by default: only where the pod says for how long it tolerates the
 * taint (`tolerationSeconds`), where it does not tolerate somebody else's NoExecute taint, or where
 * the node asks for it by {@linkcode EVICT_AFTER}.
 */
export function decidePod(
  options: { pod: Pod; node: Node; taints: readonly Taint[]; alive: boolean; now: Ms },
): PodVerdict {
  const { pod, node, taints, alive, now } = options;
  if (pod.metadata.deletionTimestamp !== undefined) return { do: "keep" };
  const limits = taints.filter(({ effect }) => effect === "NoExecute")
    .map((taint) => ({ taint, at: evictAt(pod, taint, { node, now }) }))
    .filter((one): one is { taint: Taint; at: Ms } => one.at !== undefined)
    .sort((a, b) => a.at - b.at);
  const [first] = limits;
  if (first && first.at <= now) return { do: "evict", because: `taint ${first.taint.key}` };
  const conditions = markReady(conditionsOf(pod), { alive, now });
  if (conditions) return { do: "mark", conditions };
  return { do: "keep", ...(first ? { again: ms(first.at - now) } : {}) };
}

/** When a taint evicts a pod; `undefined` for never. */
function evictAt(
  pod: Pod,
  taint: Taint,
  { node, now }: { node: Node; now: Ms },
): Ms | undefined {
  const since = fromTime(taint.timeAdded) ?? now;
  const matching = (pod.spec.tolerations ?? []).filter((one) => tolerates([one], taint));
  const asked = matching.map(({ tolerationSeconds }) => tolerationSeconds)
    .filter((one) => one !== undefined);
  const [first] = asked;
  if (first !== undefined) return ms(since + Math.max(0, Math.min(...asked)) * 1000);
  if (matching.length > 0) return undefined;
  if (!HEALTH.includes(taint.key)) return since;
  const text = node.metadata.annotations?.[EVICT_AFTER];
  const after = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  return after === undefined ? undefined : ms(since + after * 1000);
}

/**
 * A pod's conditions with `Ready` as it should be; `undefined` when it is so. On a silent node what
 * ran may still run, but nobody knows: it is not ready. Heard again, what the hub itself had taken
 * back is true again until the node says otherwise.
 */
function markReady(
  conditions: readonly Condition[],
  { alive, now }: { alive: boolean; now: Ms },
): Condition[] | undefined {
  const ready = conditions.find(({ type }) => type === "Ready");
  if (!ready) return undefined;
  const taken = ready.status === "False" && ready.reason === SILENT;
  if (alive ? !taken : ready.status !== "True") return undefined;
  const { reason: _, ...rest } = ready;
  const next: Condition = alive
    ? { ...rest, status: "True", lastTransitionTime: toTime(now) }
    : { ...rest, status: "False", reason: SILENT, lastTransitionTime: toTime(now) };
  return conditions.map((one) => one === ready ? next : one);
}
