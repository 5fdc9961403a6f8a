import type { ErrorCode, Ms } from "../../core/base/mod.ts";
import type { IdentityRecord, TokenRecord } from "../../core/tokens/mod.ts";

/** Who asks to join, after the request has been read and its CSR checked. */
export interface JoinAsk {
  readonly node: string;
  readonly keyId: string;
  /** The request says that it means to take over the name. */
  readonly replace: boolean;
}

/** What matters of a Node object to an identity of its name. */
export interface NodeSight {
  readonly uid: string;
  /** A hub made it, or a gateway took it over by right. */
  readonly ours: boolean;
}

/** Outcome of {@linkcode decideJoin}. */
export type JoinVerdict =
  /**
   * `reserve`: a use of the token must be written down first. `takes`: uid of somebody else's Node
   * that the identity is to be bound to.
   */
  | { readonly allow: true; readonly reserve: boolean; readonly takes?: string }
  | { readonly allow: false; readonly code: ErrorCode; readonly message: string };

/**
 * Whether a token of which the secret was right lets `ask` in.
 *
 * The same node with the same key may ask again with a used token (its first answer may have been
 * lost), unless it was shut out or its name was taken over since. A name that a Node has which no hub
 * made is a machine of somebody else's: whoever gets its identity reads the Secrets of its pods.
 */
export function decideJoin(
  options: {
    token: TokenRecord;
    identity: IdentityRecord | undefined;
    /** The Node object of the name, if there is one. */
    node?: NodeSight | undefined;
    ask: JoinAsk;
    now: Ms;
  },
): JoinVerdict {
  const { token, identity, node, ask, now } = options;
  const { id } = token;
  const again = `make another with "skerry token create"`;
  if (token.revoked) return refuse("Unauthorized", `token ${id} was revoked: ${again}`);
  if (now >= token.expiresAt) return refuse("Unauthorized", `token ${id} has expired: ${again}`);
  if (!matchesName(token.node, ask.node)) {
    return refuse("Forbidden", `token ${id} is for node "${token.node}", not for "${ask.node}"`);
  }
  const use = token.joins.find((one) => one.node === ask.node && one.keyId === ask.keyId);
  const usedUp = refuse("Unauthorized", `token ${id} was used already: ${again}`);
  if (!use && token.joins.length >= token.uses) return usedUp;
  if (use && identity && isOvertaken(use.at, identity, ask)) return usedUp;
  if (isTaken(identity, ask) && !mayReplace(token, ask)) {
    return refuse(
      "AlreadyExists",
      `node "${ask.node}" has joined with another key: choose another name, or where this is the ` +
        `same node make a token that may take the name over: "skerry token create --node ` +
        `${ask.node} --replace"`,
    );
  }
  if (!isForeign(node, identity)) return { allow: true, reserve: !use };
  if (token.replace && token.node === ask.node) {
    return { allow: true, reserve: !use, takes: node.uid };
  }
  return refuse(
    "AlreadyExists",
    `a Node "${ask.node}" is there that this hub did not make: choose another name, or where this ` +
      `gateway is to take that Node over make a token for exactly this name: "skerry token create ` +
      `--node ${ask.node} --replace"`,
  );
}

/** Whether a Node is somebody else's: no hub made it, and the identity is not bound to it. */
function isForeign(
  node: NodeSight | undefined,
  identity: IdentityRecord | undefined,
): node is NodeSight {
  return node !== undefined && !node.ours && node.uid !== identity?.nodeUid;
}

/** What to do about an identity, given the Node object that there is. */
export type NodeStep =
  | "nothing"
  | "bind"
  /** Its Node was deleted. */
  | "revoke"
  /** The same, and the node made it anew meanwhile. */
  | "revoke-and-remove"
  /** The name is that of somebody else's Node. */
  | "revoke-for-other";

/**
 * Whether an identity still fits its Node object. Pure. An identity is bound to the first Node that
 * appears after the join; when that one is gone, somebody deleted it, and the node is shut out. One
 * with another uid was made by the node itself between the deletion and the shutting out, if a hub
 * made it at all: somebody else's is never bound to, and never removed.
 */
export function decideNodeStep(identity: IdentityRecord, node: NodeSight | undefined): NodeStep {
  const { revoked, nodeUid } = identity;
  if (revoked) return "nothing";
  if (!node) return nodeUid === undefined ? "nothing" : "revoke";
  if (node.uid === nodeUid) return "nothing";
  if (!node.ours) return "revoke-for-other";
  return nodeUid === undefined ? "bind" : "revoke-and-remove";
}

/** Whether a use of a token at `at` has been overtaken by what happened to the identity since. */
function isOvertaken(at: number, identity: IdentityRecord, ask: JoinAsk): boolean {
  if (identity.revoked && identity.revoked.at >= at) return true;
  return identity.keyId !== ask.keyId && identity.joinedAt > at;
}

/** Whether somebody with another key holds the name now. */
export function isTaken(identity: IdentityRecord | undefined, ask: JoinAsk): boolean {
  return identity !== undefined && !identity.revoked && identity.keyId !== ask.keyId;
}

// A token for exactly this node with the right to replace says enough; one for many nodes must not
// let a wrongly named gateway push out another by accident, so the request must say it as well.
function mayReplace(token: TokenRecord, ask: JoinAsk): boolean {
  return token.replace && (ask.replace || token.node === ask.node);
}

function refuse(code: ErrorCode, message: string): JoinVerdict {
  return { allow: false, code, message };
}

/** Whether `name` fits `pattern`, in which `*` stands for any characters and `?` for one. */
export function matchesName(pattern: string, name: string): boolean {
  // Two positions and one way back: linear in practice, and no regular expression from outside.
  let at = 0;
  let star = -1;
  let mark = 0;
  for (let i = 0; i < name.length;) {
    const want = pattern[at];
    if (want === "*") {
      star = at++;
      mark = i;
    } else if (want === "?" || want === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++mark;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
