import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import { AppError, type Clock, hours, isAppError, type NodeName } from "../../core/base/mod.ts";
import {
  type CertificateRequest,
  fingerprintOf,
  issueCertificate,
  nodeNameOf,
  NODES_GROUP,
  nodeSubject,
  readCsr,
} from "../../core/pki/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { HubCa } from "../../core/tokens/mod.ts";
import { decodeRecord, encodeRecord, recordSecret } from "../../core/tokens/mod.ts";
import { IdentityRecord } from "../../core/tokens/mod.ts";
import { ensureSystemNamespace, systemSecret } from "../../core/tokens/mod.ts";

/** Who is at the other end of a connection: a node's name and its certificate's fingerprint. */
export interface NodePeer {
  readonly name: string;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string;
}

/** Whether a node's certificate is still its identity. */
export type IdentityVerdict =
  | { readonly ok: true }
  /** `reason` is for the close frame (4403) and for people. */
  | { readonly ok: false; readonly reason: string };

/** The label of identity Secrets; its value is `true`. */
export const IDENTITY_LABEL = "skerry.dev/identity";
/** The start of the names of identity Secrets; the node's name follows. */
export const IDENTITY_PREFIX = "skerry-node-";
const NODE_LIFETIME = hours(90 * 24);

/**
 * Which certificate each node holds, as Secrets `skerry-node-<name>`. A certificate that the CA
 * signed is not enough: it must be the one written down here.
 */
export class Identities {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ca: HubCa;

  constructor(options: { store: Store; clock: Clock; ca: HubCa }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#ca = options.ca;
  }

  /** The record of a node, if it has ever joined. */
  async get(node: NodeName): Promise<IdentityRecord | undefined> {
    try {
      return decodeRecord(IdentityRecord, await this.#store.get(identityRef(node)));
    } catch (error) {
      if (isAppError(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** Asked for every connection of a node, after TLS has verified its certificate. */
  async check(peer: NodePeer): Promise<IdentityVerdict> {
    const record = await this.get(peer.name as NodeName);
    if (!record) return { ok: false, reason: "this node has not joined: join it" };
    if (record.revoked) {
      return { ok: false, reason: `${record.revoked.reason}: join the node again` };
    }
    if (peer.fingerprint === record.current || peer.fingerprint === record.previous) {
      return { ok: true };
    }
    return { ok: false, reason: "another identity has taken this name: join the node again" };
  }

  /**
   * Whether the Kubernetes API must refuse a client certificate: it is a node's, but no longer its
   * identity. Fits `createAuthenticate({ refused })`.
   */
  async refused(
    fingerprint: string,
    user: { readonly name: string; readonly groups: readonly string[] },
  ): Promise<boolean> {
    const name = nodeNameOf({ commonName: user.name, organizations: user.groups });
    // Only node certificates are written down; whoever claims the group without being one is refused.
    if (name === undefined) return user.groups.includes(NODES_GROUP);
    return !(await this.check({ name, fingerprint })).ok;
  }

  /** Signs a client certificate for `node`: 90 days, `O=system:nodes`. Writes nothing. */
  async sign(node: NodeName, request: CertificateRequest): Promise<string> {
    return await issueCertificate({
      ca: this.#ca,
      subject: nodeSubject(node),
      publicKey: request.publicKey,
      use: "client",
      now: this.#clock.now(),
      lifetime: NODE_LIFETIME,
    });
  }

  /**
   * Gives `node` the identity of a freshly signed certificate. `allowed` judges the record that is
   * there at the moment of writing and throws to refuse.
   */
  async admit(
    node: NodeName,
    made: { certificate: string; keyId: string; token: string },
    allowed: (current: IdentityRecord | undefined) => void,
  ): Promise<void> {
    const next = (before: IdentityRecord | undefined): IdentityRecord => {
      allowed(before);
      const sameKey = before !== undefined && !before.revoked && before.keyId === made.keyId;
      return {
        node,
        keyId: made.keyId,
        current: fingerprintOf(made.certificate),
        // Two answers to one node may cross; with the same key both are its own.
        ...(sameKey ? { previous: before.current } : {}),
        joinedAt: this.#clock.now(),
        token: made.token,
        ...(before?.nodeUid !== undefined && !before.revoked ? { nodeUid: before.nodeUid } : {}),
      };
    };
    await ensureSystemNamespace(this.#store);
    try {
      await this.#store.create(RESOURCES.secrets, identitySecret(node, next(undefined)));
      return;
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
    }
    await this.change(node, next);
  }

  /**
   * Signs a new certificate for a connected node (`call renew`). The one that it asks with stays
   * good until the next renewal, because the answer may get lost.
   * @throws {AppError} BadRequest for a CSR that is unreadable or for another node, Forbidden when shut out
   */
  async renew(peer: NodePeer, csr: string): Promise<{ certificate: string }> {
    const request = await readNodeCsr(peer.name, csr);
    const certificate = await this.sign(peer.name as NodeName, request);
    await this.change(peer.name as NodeName, (record) => {
      const known = peer.fingerprint === record.current || peer.fingerprint === record.previous;
      if (record.revoked || !known) {
        throw new AppError("Forbidden", `node "${peer.name}" is shut out: join it again`);
      }
      return {
        ...record,
        keyId: request.keyId,
        current: fingerprintOf(certificate),
        previous: peer.fingerprint,
        renewedAt: this.#clock.now(),
      };
    });
    return { certificate };
  }

  /** Shuts a node out until it joins again. Does nothing when it has not joined. */
  async revoke(node: NodeName, reason: string): Promise<void> {
    try {
      await this.change(node, (record) => {
        if (record.revoked) return record;
        const { nodeUid: _, ...rest } = record;
        return { ...rest, revoked: { at: this.#clock.now(), reason } };
      });
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
    }
  }

  /** Changes a record with compare-and-swap. @throws {AppError} NotFound, and what `change` throws */
  async change(
    node: NodeName,
    change: (record: IdentityRecord) => IdentityRecord,
  ): Promise<void> {
    await this.#store.update(identityRef(node), (secret) => {
      const before = decodeRecord(IdentityRecord, secret);
      const after = change(before);
      return after === before ? secret : { ...secret, data: encodeRecord(after) };
    });
  }
}

/**
 * Reads a CSR that must be for `node`.
 * @throws {AppError} BadRequest
 */
export async function readNodeCsr(node: string, csr: string): Promise<CertificateRequest> {
  const request = await readCsr(csr);
  if (nodeNameOf(request.subject) !== node) {
    throw new AppError(
      "BadRequest",
      `the CSR is not for node "${node}": its subject must be ` +
        `O=system:nodes, CN=system:node:${node}`,
    );
  }
  return request;
}

function identityRef(node: NodeName) {
  return systemSecret(`${IDENTITY_PREFIX}${node}`);
}

function identitySecret(node: NodeName, record: IdentityRecord): KubeObject {
  return recordSecret({
    name: `${IDENTITY_PREFIX}${node}`,
    type: "skerry.dev/identity",
    labels: { [IDENTITY_LABEL]: "true" },
    record,
  });
}
