import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import type { NodeName } from "../../core/base/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import { isGatewayNode } from "../../core/sync/mod.ts";
import type { NodeSight } from "./policy.ts";

/** What matters of a Node object to its identity. */
export function sightOf(node: KubeObject): NodeSight {
  return { uid: node.metadata.uid ?? "", ours: isGatewayNode(node) };
}

/** Reads exactly this Node; `undefined` when the store says that it is not there. @throws what the store throws */
export async function findNode(
  store: Pick<Store, "get">,
  name: NodeName,
): Promise<NodeSight | undefined> {
  const node = await findObject(store, { resource: RESOURCES.nodes, name });
  return node && sightOf(node);
}
