import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import type { Refusal } from "../link/mod.ts";
import type { NodeEvent } from "../node/mod.ts";
import type { EventReports } from "./reports.ts";

/** What is wrong with the report itself; others are of objects that are gone or no longer this node's. */
const WRONG: readonly string[] = ["BadRequest", "Invalid", "RequestEntityTooLarge"];
/** As much of a reason as an Event should carry. */
const REASON_LENGTH = 600;

/**
 * Tells people by an Event why a status in the cluster stands still: it is the old one that they see,
 * and nothing about it says so.
 */
export function tellRefused(
  { store, events }: { readonly store: LocalStore; readonly events: EventReports },
  { kind, body }: NewIntent,
  { code, message, said }: Refusal,
): void {
  if (!said || !WRONG.includes(code)) return;
  const event: NodeEvent = {
    type: "Warning",
    reason: "StatusRefused",
    message: "What this node reports is refused, so the status here is an older one: " +
      message.slice(0, REASON_LENGTH),
  };
  store.transact((tx) => {
    if (kind === "node") return events.node(tx, event);
    const found = podOf(kind, body);
    if (!found) return;
    const { namespace, name } = found;
    const pod = tx.get({ resource: RESOURCES.pods, namespace, name });
    if (pod) events.pod(tx, pod as Pod, event);
  });
}

/** The pod that a report of this node's own making is about. */
function podOf(
  kind: string,
  body: unknown,
): { readonly namespace: string; readonly name: string } | undefined {
  if (kind === "pod-status") return body as { namespace: string; name: string };
  if (kind !== "pod-mirror") return undefined;
  const { metadata: { namespace = "default", name } } = (body as { pod: Pod }).pod;
  return { namespace, name };
}
