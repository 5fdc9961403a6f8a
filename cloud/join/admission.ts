import { AppError, type Clock, type Ms, type NodeName } from "../../core/base/mod.ts";
import type { CertificateRequest } from "../../core/pki/mod.ts";
import type { Identities } from "./identities.ts";
import { findNode } from "./node_sight.ts";
import { decideJoin, isTaken, type JoinAsk } from "./policy.ts";
import type { IdentityRecord } from "../../core/tokens/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Tokens } from "../../core/tokens/mod.ts";

/** A join whose token's secret and CSR are good. */
export interface Admission {
  /** The token's id. */
  readonly token: string;
  readonly node: NodeName;
  readonly ask: JoinAsk;
  readonly request: CertificateRequest;
}

/** What an admission works on. */
export interface AdmissionParts {
  readonly tokens: Tokens;
  readonly identities: Identities;
  /** Where Nodes are. */
  readonly store: Pick<Store, "get">;
  readonly clock: Clock;
}

/**
 * Lets a node in, in three steps that may each be the last before a crash: the use of the token is
 * written down, the certificate signed, the identity written. The same node with the same key may
 * come back after any of them.
 *
 * @throws {AppError} as `decideJoin` says; AlreadyExists when another key took the name meanwhile
 */
export async function admitNode(parts: AdmissionParts, admission: Admission): Promise<string> {
  const { tokens, identities } = parts;
  const { node, ask, request, token } = admission;
  const { judged, reservedAt, takes } = await reserve(parts, admission);
  try {
    const certificate = await identities.sign(node, request);
    await identities.admit(node, { certificate, keyId: ask.keyId, token, takes }, (current) => {
      // The holder of the name was judged above; only one that came since is refused here.
      if (isTaken(current, ask) && current?.keyId !== judged?.keyId) throw takenMeanwhile(node);
    });
    return certificate;
  } catch (error) {
    // A refused node has not used the token up.
    if (reservedAt !== undefined) {
      await tokens.change(token, (record) => ({
        ...record,
        joins: record.joins.filter((use) => use.at !== reservedAt || use.keyId !== ask.keyId),
      }));
    }
    throw error;
  }
}

function takenMeanwhile(node: NodeName): AppError {
  return new AppError("AlreadyExists", `node "${node}" has just joined with another key`);
}

/** Writes the use of the token down. `reservedAt` is absent when it was there already. */
async function reserve(
  parts: AdmissionParts,
  admission: Admission,
): Promise<
  {
    judged: IdentityRecord | undefined;
    reservedAt: Ms | undefined;
    takes: string | undefined;
  }
> {
  const { ask, node } = admission;
  // Before the record, which may be bound to what was made meanwhile.
  const sight = await findNode(parts.store, node);
  const judged = await parts.identities.get(node);
  let reservedAt: Ms | undefined;
  let takes: string | undefined;
  await parts.tokens.change(admission.token, (record) => {
    const now = parts.clock.now();
    const verdict = decideJoin({ token: record, identity: judged, node: sight, ask, now });
    if (!verdict.allow) throw new AppError(verdict.code, verdict.message);
    reservedAt = verdict.reserve ? now : undefined;
    takes = verdict.takes;
    if (!verdict.reserve) return record;
    return { ...record, joins: [...record.joins, { node, keyId: ask.keyId, at: now }] };
  });
  return { judged, reservedAt, takes };
}
