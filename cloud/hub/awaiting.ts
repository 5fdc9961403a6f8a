import { type Condition, type Node, RESOURCES } from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";

/** The condition of a Node that keeps what the cluster, restored from an older copy, lacks. */
export const AWAITING_RECONNECT = "AwaitingReconnect";
/** By this annotation a person lets such a node remove it; its value is the epoch. */
export const ACCEPT_HISTORY = "skerry.dev/accept-history";

/** Whether a person has let this node go over to the present history. */
export function isAccepted(node: Node | undefined, epoch: string): boolean {
  return node?.metadata.annotations?.[ACCEPT_HISTORY] === epoch;
}

/** What a Node says of it; `undefined` when it says nothing. */
export function awaitingOf(node: Node | undefined): Condition | undefined {
  const all: unknown = node?.status?.conditions;
  return Array.isArray(all) ? all.find((one) => one?.type === AWAITING_RECONNECT) : undefined;
}

/** The condition as it should be. Pure. */
export function awaitingCondition(
  node: string,
  { awaiting, epoch, now }: {
    readonly awaiting: boolean;
    readonly epoch: string;
    readonly now: Ms;
  },
): Condition {
  const time = toTime(now);
  return {
    type: AWAITING_RECONNECT,
    status: awaiting ? "True" : "False",
    reason: awaiting ? "HistoryChanged" : "HistoryAccepted",
    message: awaiting
      ? "The cluster was restored from an older copy than this node has seen. The node keeps all " +
        `that it has. To let it remove what the cluster lacks: kubectl annotate node ${node} ` +
        `--overwrite ${ACCEPT_HISTORY}=${epoch}`
      : "The node has what the cluster says.",
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
}

/** Writes the condition, when the Node says otherwise. */
export async function writeAwaiting(
  store: Store,
  name: string,
  input: { readonly awaiting: boolean; readonly epoch: string; readonly now: Ms },
): Promise<void> {
  const condition = awaitingCondition(name, input);
  await store.update({ resource: RESOURCES.nodes, name }, (current) => {
    const node = current as Node;
    const before = awaitingOf(node);
    // A node that never waited need not say that it does not.
    if (before?.status === condition.status || (!before && !input.awaiting)) return current;
    const others = (node.status?.conditions ?? []).filter(({ type }) =>
      type !== AWAITING_RECONNECT
    );
    return { ...node, status: { ...node.status, conditions: [...others, condition] } };
  }, { subresource: "status" });
}
