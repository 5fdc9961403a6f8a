import { minutes, type Ms } from "../../core/base/mod.ts";
import { NAME_TAKEN } from "../../core/join/mod.ts";
import { readCertificate } from "../../core/pki/mod.ts";
import type { IdentityRecord } from "../../core/tokens/mod.ts";

/** Who is at the other end of a connection: a node's name and its certificate, which our CA signed. */
export interface NodePeer {
  readonly name: string;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string;
  /** When the CA signed it, to the second. @default {it is not known} */
  readonly issuedAt?: Ms;
}

/** Whether a node's certificate is still its identity. */
export type IdentityVerdict =
  /** `restored`: the record is older than the certificate. */
  | { readonly ok: true; readonly restored?: true }
  /** `reason` is for the close frame (4403) and for people. */
  | { readonly ok: false; readonly reason: string };

/** Of clocks of hubs: older versions did not see to it that later records have later times. */
const SKEW = minutes(10);

/**
 * Whether a certificate that our CA signed for this node is its identity. Pure.
 *
 * A hub hands out no certificate before it has written it down. So one that is younger than the record
 * was written down in a later record, and this one came back from a copy: it tells nothing about the
 * certificate, and the node may go on. What was shut out or replaced has a younger record than its
 * certificate, whatever the clocks: see {@linkcode writtenAt}.
 */
export function judgeIdentity(
  peer: NodePeer,
  record: IdentityRecord | undefined,
  now: Ms,
): IdentityVerdict {
  if (!record) return { ok: false, reason: NOT_JOINED };
  if (record.revoked) {
    return { ok: false, reason: `${record.revoked.reason}: join the node again` };
  }
  if (peer.fingerprint === record.current || peer.fingerprint === record.previous) {
    return { ok: true };
  }
  const { issuedAt = 0 } = peer;
  if (issuedAt > writtenAt(record) + SKEW && issuedAt <= now + SKEW) {
    return { ok: true, restored: true };
  }
  return {
    ok: false,
    reason: `${NAME_TAKEN}: join the node again, with a token of --replace`,
  };
}

/** A close frame has room for 120 characters. */
const NOT_JOINED =
  "the hub has no identity of this node: a person may let it in there (skerry.dev/let-in), " +
  "else join it again";

/** When a record last got a certificate. Later records of a name are never older: see `laterThan`. */
function writtenAt({ joinedAt, renewedAt = 0 }: IdentityRecord): Ms {
  return Math.max(joinedAt, renewedAt) as Ms;
}

/**
 * The time of a record of `certificate` that follows `before`: now, unless some hub's clock was ahead.
 * No certificate that was ever written down may look younger than a later record of its name.
 */
export function laterThan(
  before: IdentityRecord | undefined,
  certificate: string,
  now: Ms,
): Ms {
  return latest(before, readCertificate(certificate).issuedAt, now);
}

/** {@linkcode laterThan} for a certificate of which only the time is known. */
export function latest(before: IdentityRecord | undefined, issuedAt: Ms, now: Ms): Ms {
  return Math.max(now, issuedAt, before ? writtenAt(before) : 0) as Ms;
}
