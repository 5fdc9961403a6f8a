import { isNodeName, type NodeName } from "../base/mod.ts";

/** Whom a certificate speaks for: `O` are Kubernetes' groups, `CN` the user. */
export interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The group of every node, as Kubernetes' node authorizer expects it. */
export const NODES_GROUP = "system:nodes";
/** The group whose members may do everything. */
export const MASTERS_GROUP = "system:masters";
/** The common name of the hub's serving certificate. */
export const HUB_NAME = "skerry-hub";

const NODE_PREFIX = "system:node:";

/** The subject of a node's certificate (docs/protocol.md 1). */
export function nodeSubject(node: NodeName): Subject {
  return { commonName: `${NODE_PREFIX}${node}`, organizations: [NODES_GROUP] };
}

/** The node that a subject names; `undefined` when it is no node's subject, exactly. */
export function nodeNameOf(subject: Subject): NodeName | undefined {
  const [group, ...more] = subject.organizations;
  if (group !== NODES_GROUP || more.length > 0) return undefined;
  if (!subject.commonName.startsWith(NODE_PREFIX)) return undefined;
  const name = subject.commonName.slice(NODE_PREFIX.length);
  return isNodeName(name) ? name : undefined;
}
