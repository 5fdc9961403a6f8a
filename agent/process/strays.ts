import { AppError } from "../../core/base/mod.ts";
import { joinAdvice, NAME_TAKEN } from "../../core/join/mod.ts";
import type { Link } from "../link/mod.ts";
import type { PodManager, Stray } from "../pods/mod.ts";
import type { Base } from "./base.ts";

/** So many are named; a Node's condition is no place for a list. */
const NAMED = 10;

/**
 * Asks the hub for the UIDs of all pods that its store has for this node (docs/protocol.md 7).
 *
 * @throws {AppError} ServiceUnavailable without a link, BadRequest for an answer that is none
 */
export async function boundPods(
  link: Link | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!link) throw new AppError("ServiceUnavailable", "there is no link to the hub yet");
  const answer = await link.call("pods", {}, signal) as { uids?: unknown } | null;
  const uids = answer?.uids;
  // What is not named there ends: only a list that is one counts.
  if (Array.isArray(uids) && uids.every((uid) => typeof uid === "string" && uid !== "")) {
    return uids;
  }
  throw new AppError("BadRequest", "the hub's answer to the call pods has no list of uids");
}

/** What a person is to know of the pods that run on unknown; `undefined` when there are none. */
export function strayText(
  pods: PodManager | undefined,
  { node, options: { hub } }: Pick<Base, "node" | "options">,
): string | undefined {
  const strays = pods?.strays() ?? [];
  if (strays.length === 0) return undefined;
  const ways = [
    ...(hub !== "" && strays.some((one) => !one.fromManifest)
      ? [
        "when its state was lost, join it anew, and those end that the cluster has no more: " +
        joinAdvice({ node, hub, reason: NAME_TAKEN }),
      ]
      : []),
    ...(strays.some((one) => one.fromManifest)
      ? ["those of manifests: put the manifests back and take them away again"]
      : []),
    'or end them by hand: "crictl pods" names them, "crictl rmp --force ID" ends one',
  ];
  return "pods run on this node that its state does not know, and nothing says that they are to " +
    `end: ${namesOf(strays)}. What to do: ${ways.join("; ")}`;
}

function namesOf(strays: readonly Stray[]): string {
  const names = strays.slice(0, NAMED).map(({ namespace, name, uid }) =>
    `${namespace}/${name} (${uid})`
  );
  const more = strays.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
