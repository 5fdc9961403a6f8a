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
 * as its version and its feature gates allow, which is tried: a hub that is refused all that its nodes
 * want written must not begin, as nodes do not send again what was refused.
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
  const { major, minor, gitVersion } = await client.call({ method: "GET", path: "/version" });
  // "36+" at some providers.
  const knows = Number(major) > 1 || Number.parseInt(String(minor), 10) >= CONSTRAINED_FROM;
  if (wanted === "constrained" && !knows) {
    throw new AppError(
      "Unsupported",
      `${client.server} is Kubernetes ${gitVersion}, and constrained impersonation is there from ` +
        `1.${CONSTRAINED_FROM} on: say --impersonation=legacy (the chart: impersonation=legacy)`,
    );
  }
  if (wanted === "legacy" || !knows) return "legacy";
  const refusal = await refusalOf(client);
  if (refusal === undefined) return "constrained";
  if (wanted === "") return "legacy";
  throw new AppError(
    "Forbidden",
    `${client.server} does not let this hub be its nodes (${refusal}): give it the rights of the ` +
      "chart, or where the feature gate ConstrainedImpersonation is off say --impersonation=legacy " +
      "(the chart: impersonation=legacy)",
  );
}

/** Why this client may not be a node by its name alone, in the server's words; nothing is changed. */
async function refusalOf(client: Pick<KubeClient, "call">): Promise<string | undefined> {
  try {
    await client.call({
      method: "PATCH",
      path: `/api/v1/nodes/${NOBODY}/status`,
      query: { dryRun: "All" },
      type: "application/merge-patch+json",
      body: {},
      as: { user: `system:node:${NOBODY}` },
    });
  } catch (error) {
    if (isAppError(error, "Forbidden")) return error.message;
    // It was let in as far as to be told that there is none.
    if (!isAppError(error, "NotFound")) throw error;
  }
  return undefined;
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
  const user = `system:node:${node}`;
  const be: Impersonation = mode === "constrained" ? { user } : { user, groups: [NODES_GROUP] };
  return (access, resource) => access === "write" || NODE_READS.includes(resource) ? be : undefined;
}
