import type { KubeObject } from "../../core/api/mod.ts";
import type { Ms } from "../../core/base/mod.ts";
import { type IdentityRecord, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { latest, type NodePeer } from "./verdict.ts";

/** The start of the names of identity Secrets; the node's name follows. */
export const IDENTITY_PREFIX = "skerry-node-";
/**
 * By this annotation of an identity's Secret a person lets a certificate in that is shut out: its value
 * is the start of the certificate's fingerprint. Nobody has to go to the gateway for that.
 */
const LET_IN = "skerry.dev/let-in";
/** Says on the Secret why the identity is shut out, and by which command it is let in. */
const SHUT_OUT = "skerry.dev/shut-out";
/** Digits of a fingerprint that name one certificate. */
const DIGITS = 16;

/**
 * What is written down of a certificate that our CA signed and of which nothing was. It stays shut out
 * until a person lets it in.
 */
export function unknownIdentity(
  { name, fingerprint, issuedAt = 0 as Ms }: NodePeer,
): IdentityRecord {
  const reason = "no identity of it was there (deleted, or lost by a restore of the cluster)";
  return {
    node: name,
    // Known when it is renewed.
    keyId: "",
    current: fingerprint,
    joinedAt: issuedAt,
    token: "",
    revoked: { at: issuedAt, reason },
  };
}

/** Whether a person lets this certificate in. Pure. */
export function isLetIn({ fingerprint }: NodePeer, secret: KubeObject): boolean {
  const said = secret.metadata.annotations?.[LET_IN] ?? "";
  return said.length >= DIGITS && fingerprint.startsWith(said.toLowerCase());
}

/** The identity that a certificate has once it is let in. Pure. */
export function letIn(
  record: IdentityRecord,
  { fingerprint, issuedAt = 0 as Ms }: NodePeer,
  now: Ms,
): IdentityRecord {
  const { revoked: _, nodeUid: _uid, previous: _previous, ...rest } = record;
  return {
    ...rest,
    ...(record.current === fingerprint ? {} : { current: fingerprint, keyId: "" }),
    renewedAt: latest(record, issuedAt, now),
  };
}

/** The annotations of an identity's Secret: what a person is to know, and nothing said before. */
export function identityAnnotations(
  { node, current, revoked }: IdentityRecord,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { [LET_IN]: _, [SHUT_OUT]: _why, ...others } = before;
  if (!revoked) return others;
  const command = `kubectl annotate secret -n ${SYSTEM_NAMESPACE} ${IDENTITY_PREFIX}${node} ` +
    `--overwrite ${LET_IN}=${current.slice(0, DIGITS)}`;
  const text = `${revoked.reason}. To let the node in as it is, from here: ${command}`;
  return { ...others, [SHUT_OUT]: text };
}
