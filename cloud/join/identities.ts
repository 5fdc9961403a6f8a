import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  deadline,
  errorText,
  hours,
  isAppError,
  type Logger,
  type NodeName,
  OutageLog,
  seconds,
  unlessAborted,
} from "../../core/base/mod.ts";
import { joinAdvice } from "../../core/join/mod.ts";
import {
  type CertificateRequest,
  fingerprintOf,
  issueCertificate,
  nodeNameOf,
  NODES_GROUP,
  nodeSubject,
  readCsr,
} from "../../core/pki/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import type { HubCa } from "../../core/tokens/mod.ts";
import { decodeRecord, encodeRecord, recordSecret } from "../../core/tokens/mod.ts";
import { IdentityRecord } from "../../core/tokens/mod.ts";
import { IDENTITY_PREFIX, identityAnnotations, isLetIn, letIn, unknownIdentity } from "./let_in.ts";
import { type IdentityVerdict, judgeIdentity, laterThan, type NodePeer } from "./verdict.ts";
import { ensureSystemNamespace, IDENTITY_LABEL, systemSecret } from "../../core/tokens/mod.ts";

/** Why a node is shut out whose name is that of somebody else's Node. */
export const OTHERS_NODE = "a Node of this name is there that this hub did not make";
const TAKE_OVER = "give the node another name, or join it again with a token of --replace";

const NODE_LIFETIME = hours(90 * 24);
/** A node waits 10 s for its welcome, and is checked twice before that. */
const ANSWER_WITHIN = seconds(2);

/** Options of {@linkcode Identities}. */
export interface IdentitiesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly ca: HubCa;
  readonly log: Logger;
  /** The Secret of an identity as it was last seen. @default {nothing is remembered} */
  readonly remembered?: (node: NodeName) => KubeObject | undefined;
}

/**
 * Which certificate each node holds, as Secrets `skerry-node-<name>`. A certificate that the CA
 * signed is not enough: it must be the one written down here.
 */
export class Identities {
  readonly #options: IdentitiesOptions;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ca: HubCa;
  /** Of the store, for all nodes. */
  readonly #outage: OutageLog;

  constructor(options: IdentitiesOptions) {
    this.#outage = new OutageLog(options);
    this.#options = options;
    this.#store = options.store;
    this.#clock = options.clock;
    this.#ca = options.ca;
  }

  /** The record of a node, if it has ever joined. */
  async get(node: NodeName): Promise<IdentityRecord | undefined> {
    const found = await findObject(this.#store, identityRef(node));
    return found && readIdentity(node, found);
  }

  /**
   * Asked for every connection of a node, after TLS has verified its certificate. When the store does
   * not tell in time it goes by what was last seen there: a link that was cut while the API server is
   * away comes back, as those stay up that were not cut. Sessions end when it is seen that their
   * identity was shut out. What nothing is known of is written down, and a person may let it in.
   *
   * @param options `strict`: by what the store says now and nothing else @default {false};
   * `nodeUid`: of a Node that no hub made, which the identity must be bound to; with `strict` only
   * @throws what the store throws, when nothing is remembered of the node
   */
  async check(
    peer: NodePeer,
    { strict = false, nodeUid }: {
      readonly strict?: boolean;
      readonly nodeUid?: string | undefined;
    } = {},
  ): Promise<IdentityVerdict> {
    const { remembered } = this.#options;
    const node = peer.name as NodeName;
    if (strict) {
      const record = await this.get(node);
      const other = nodeUid !== undefined && record?.nodeUid !== nodeUid;
      const verdict = this.#judge(peer, record);
      return verdict.ok && other ? { ok: false, reason: `${OTHERS_NODE}: ${TAKE_OVER}` } : verdict;
    }
    try {
      const found = await this.#findInTime(node);
      const verdict = await this.#judgeFound(peer, found);
      if (verdict.ok && verdict.restored) {
        this.#options.log.warn(
          "a node's certificate is younger than its identity, which comes from an older copy",
          { node },
        );
      }
      const outage = this.#outage.ended();
      if (outage) this.#options.log.info("identities are judged by the store again", outage);
      return verdict;
    } catch (error) {
      const secret = remembered?.(node);
      if (!secret) throw error;
      this.#outage.failed("warn", "an identity is judged by what was last seen of it", {
        node,
        error: errorText(error),
      });
      // What was seen may be older than the certificate just because nobody could be asked since.
      const { name, fingerprint } = peer;
      return this.#judge({ name, fingerprint }, readIdentity(node, secret));
    }
  }

  async #judgeFound(peer: NodePeer, secret: KubeObject | undefined): Promise<IdentityVerdict> {
    const node = peer.name as NodeName;
    const record = secret && readIdentity(node, secret);
    // Who calls the API by a certificate alone is no gateway that waits to be let in.
    if (peer.issuedAt === undefined) return this.#judge(peer, record);
    if (!secret) {
      await this.#writeUnknown(peer);
    } else if (record?.revoked && isLetIn(peer, secret)) {
      await this.change(node, (now) => now.revoked ? letIn(now, peer, this.#clock.now()) : now);
      this.#options.log.info("a person has let a node in that was shut out", { node });
      return { ok: true };
    }
    return this.#judge(peer, record);
  }

  async #writeUnknown(peer: NodePeer): Promise<void> {
    const node = peer.name as NodeName;
    await ensureSystemNamespace(this.#store);
    const secret = identitySecret(node, unknownIdentity(peer));
    try {
      await this.#store.create(RESOURCES.secrets, secret);
    } catch (error) {
      // It has just joined, or another hub was quicker.
      if (!isAppError(error, "AlreadyExists")) throw error;
    }
    const { namespace, name } = secret.metadata;
    this.#options.log.warn("a node is shut out of which no identity was written down", {
      node,
      todo: `kubectl describe secret -n ${namespace} ${name}`,
    });
  }

  #judge(peer: NodePeer, record: IdentityRecord | undefined): IdentityVerdict {
    return judgeIdentity(peer, record, this.#clock.now());
  }

  async #findInTime(node: NodeName): Promise<KubeObject | undefined> {
    using limit = deadline(
      this.#clock,
      ANSWER_WITHIN,
      () => new AppError("Timeout", `the identity of node ${node} was not read in 2 s`),
    );
    return await unlessAborted(findObject(this.#store, identityRef(node)), limit.signal);
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
   *
   * @param made `takes`: uid of somebody else's Node that it takes over @default {none}
   */
  async admit(
    node: NodeName,
    made: { certificate: string; keyId: string; token: string; takes?: string | undefined },
    allowed: (current: IdentityRecord | undefined) => void,
  ): Promise<void> {
    const next = (before: IdentityRecord | undefined): IdentityRecord => {
      allowed(before);
      const nodeUid = made.takes ?? (before?.revoked ? undefined : before?.nodeUid);
      const sameKey = before !== undefined && !before.revoked && before.keyId === made.keyId;
      return {
        node,
        keyId: made.keyId,
        current: fingerprintOf(made.certificate),
        caKey: this.#ca.keyId,
        // Two answers to one node may cross; with the same key both are its own.
        ...(sameKey ? { previous: before.current } : {}),
        joinedAt: laterThan(before, made.certificate, this.#clock.now()),
        token: made.token,
        ...(nodeUid !== undefined ? { nodeUid } : {}),
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
      if (!this.#judge(peer, record).ok) {
        throw new AppError("Forbidden", `node "${peer.name}" is shut out: join it again`);
      }
      return {
        ...record,
        keyId: request.keyId,
        current: fingerprintOf(certificate),
        caKey: this.#ca.keyId,
        previous: peer.fingerprint,
        renewedAt: laterThan(record, certificate, this.#clock.now()),
      };
    });
    return { certificate };
  }

  /**
   * Shuts a node out until it joins again. Does nothing when it has not joined.
   *
   * @param judged what was judged: nothing is done to one that was joined or bound anew since
   * @default {whatever is there}
   */
  async revoke(node: NodeName, reason: string, judged?: IdentityRecord): Promise<void> {
    try {
      await this.change(node, (record) => {
        if (record.revoked) return record;
        const { joinedAt, nodeUid } = judged ?? record;
        if (record.joinedAt !== joinedAt || record.nodeUid !== nodeUid) return record;
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
      const before = readIdentity(node, secret);
      const after = change(before);
      if (after === before) return secret;
      const annotations = identityAnnotations(after, secret.metadata.annotations);
      return {
        ...secret,
        metadata: { ...secret.metadata, annotations },
        data: encodeRecord(after),
      };
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

/** @throws {AppError} InternalError when somebody changed it into something unreadable */
function readIdentity(node: NodeName, secret: KubeObject): IdentityRecord {
  const remedy = `let the node join again: ${joinAdvice({ node, hub: "HOST:PORT" })}`;
  return decodeRecord(IdentityRecord, secret, remedy);
}

function identityRef(node: NodeName) {
  return systemSecret(`${IDENTITY_PREFIX}${node}`);
}

function identitySecret(node: NodeName, record: IdentityRecord): KubeObject {
  const secret = recordSecret({
    name: `${IDENTITY_PREFIX}${node}`,
    type: "skerry.dev/identity",
    labels: { [IDENTITY_LABEL]: "true" },
    record,
  });
  const annotations = identityAnnotations(record);
  return { ...secret, metadata: { ...secret.metadata, annotations } };
}
