import { type ResourceDef, RESOURCES, VOLUME_LIST } from "../api/mod.ts";
import { AppError, isAppError } from "../base/mod.ts";
import { NODES_GROUP } from "../pki/mod.ts";
import type { Impersonation, KubeClient } from "./client.ts";

/**
 * How a hub may be its nodes: `constrained` names the node alone, and each verb on each resource
 * is a right of its own (on by default from Kubernetes 1.36); `legacy` names user and group.
 */
export type ImpersonationMode = "constrained" | "legacy";

/** The first minor version of Kubernetes 1 whose servers know constrained impersonation. */
const CONSTRAINED_FROM = 36;
/** The node that is tried; there is none of that name. */
const NOBODY = "skerry-hub";
/** What a node alone may read, and only what its pods name. */
const NODE_READS: readonly ResourceDef[] = [RESOURCES.secrets, ...VOLUME_LIST];

/**
 * How to be nodes at a server: as `wanted`, which is what this hub was given rights for, or for `""`
 * as it lets this client, which is tried: a hub that is refused all that its nodes want written must
 * not begin, as nodes do not send again what was refused. `legacy` is first there: a server tries the
 * way in which a user was let in last, so that somebody else with this hub's user (an administrator
 * who looks at what a node may do) would make a node that is named alone one without its group.
 *
 * @throws {AppError} BadRequest; Unsupported when the server is too old, Forbidden when it refuses; as
 * {@linkcode KubeClient}
 */
export async function impersonationMode(
  client: Pick<KubeClient, "call" | "server">,
  wanted: string,
): Promise<ImpersonationMode> {
  if (wanted !== "" && wanted !== "constrained" && wanted !== "legacy") {
    throw new AppError("BadRequest", `--impersonation=${wanted}: say constrained or legacy`);
  }
  if (wanted === "legacy") return wanted;
  if (wanted === "" && await refusalOf(client, "legacy") === undefined) return "legacy";
  const { major, minor, gitVersion } = await client.call({ method: "GET", path: "/version" });
  // "36+" at some providers.
  const knows = Number(major) > 1 || Number.parseInt(String(minor), 10) >= CONSTRAINED_FROM;
  if (!knows) {
    throw new AppError(
      "Unsupported",
      `${client.server} is Kubernetes ${gitVersion}, and constrained impersonation is there from ` +
        `1.${CONSTRAINED_FROM} on: say --impersonation=legacy (the chart: impersonation=legacy)`,
    );
  }
  const refusal = await refusalOf(client, "constrained");
  if (refusal === undefined) return "constrained";
  throw new AppError(
    "Forbidden",
    `${client.server} does not let this hub be its nodes (${refusal}): give it the rights of the ` +
      "chart, or where the feature gate ConstrainedImpersonation is off say --impersonation=legacy " +
      "(the chart: impersonation=legacy)",
  );
}

/** Why this client may not be a node in that way, in the server's words; nothing is changed. */
async function refusalOf(
  client: Pick<KubeClient, "call">,
  mode: ImpersonationMode,
): Promise<string | undefined> {
  try {
    await client.call({
      method: "PATCH",
      path: `/api/v1/nodes/${NOBODY}/status`,
      query: { dryRun: "All" },
      type: "application/merge-patch+json",
      body: {},
      as: nodeUser(NOBODY, mode),
    });
  } catch (error) {
    if (isAppError(error, "Forbidden")) return error.message;
    // It was let in as far as to be told that there is none.
    if (!isAppError(error, "NotFound")) throw error;
  }
  return undefined;
}

function nodeUser(node: string, mode: ImpersonationMode): Impersonation {
  const user = `system:node:${node}`;
  return mode === "constrained" ? { user } : { user, groups: [NODES_GROUP] };
}

/**
 * For a `RemoteStore`: its writes are the node's own, and so are reads of Secrets and of what claims
 * lead to. So Kubernetes itself (node authorizer, NodeRestriction) keeps a node, and whatever is wrong in a hub, from what
 * is another node's. Everything else is read as the hub: ConfigMaps too, as Kubernetes knows nothing
 * of those that functions name.
 */
export function asNode(
  node: string,
  mode: ImpersonationMode,
): (access: "read" | "write", resource: ResourceDef) => Impersonation | undefined {
  const be = nodeUser(node, mode);
  return (access, resource) => access === "write" || NODE_READS.includes(resource) ? be : undefined;
}
