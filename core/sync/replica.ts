import {
  type Condition,
  findResource,
  gateConditions,
  type KubeObject,
  type PodStatus,
  type ResourceDef,
  withEnd,
} from "../api/mod.ts";
import type { Row, Tx } from "../store/mod.ts";
import type { Del, Have, Put, Snap } from "./messages.ts";
import { digestOf, isOlder, type ReplicaEntry } from "./version.ts";

/** Side rows: one per replicated object, by uid. */
export const REPLICA_SPACE = "replica";
/** Side rows: `epoch`, `seen`, `prune` and `strays`. */
export const SYNC_SPACE = "sync";
/** Side rows: uids that were deleted in the present epoch; they never come back. */
export const GONE_SPACE = "replica-gone";
/** How many deleted uids are remembered: more than a hub's view can be behind. */
const GONE_KEPT = 1000;

/** A replicated object as its side row tells it. */
export interface ReplicaRow extends ReplicaEntry {
  /** The hub history that it came from. */
  readonly epoch: string;
  /** The origin's `resourceVersion`. */
  readonly originRv: string;
}

/** Names an object that goes by the hub's word; a `Del` is one. */
export type Removed = Pick<Del, "resource" | "uid" | "namespace" | "name">;

/** Is told of every object that goes, in the transaction that removes it. */
export type OnRemoved = (removed: Removed) => void;

/** What a node says of its replica in `hello`. */
export interface ReplicaState {
  readonly epoch?: string;
  readonly digest?: string;
  /** The newest version of that epoch that was seen with a proof. */
  readonly seen?: string;
  readonly proof?: string;
  /** Objects of older epochs that are kept. */
  readonly kept?: number;
}

/** The replicated objects, of all epochs. */
export function replicaRows(tx: Tx): ReplicaRow[] {
  return tx.rows(REPLICA_SPACE).map(readRow);
}

/** The epoch and digest of the replica. */
export function replicaState(tx: Tx): ReplicaState {
  const epoch = tx.row(SYNC_SPACE, "epoch")?.value;
  if (epoch === undefined) return {};
  const all = replicaRows(tx);
  const own = all.filter((row) => row.epoch === epoch);
  return {
    epoch,
    digest: digestOf(own),
    ...readSeen(tx, epoch),
    kept: all.length - own.length,
  };
}

/** The newest version of `epoch` for which there is a proof. */
function readSeen(tx: Tx, epoch: string): { seen?: string; proof?: string } {
  const row = tx.row(SYNC_SPACE, "seen");
  if (!row) return {};
  const [of, seen = "", proof = ""] = JSON.parse(row.value) as string[];
  return of === epoch ? { seen, proof } : {};
}

function keepSeen(tx: Tx, epoch: string, seen: string, proof: string): void {
  const { seen: before } = readSeen(tx, epoch);
  if (before !== undefined && !isOlder(before, seen)) return;
  tx.putRow(SYNC_SPACE, "seen", JSON.stringify([epoch, seen, proof]));
}

/** The items of `have`: what came from the present epoch, and nothing of an older one (4.6). */
export function replicaItems(tx: Tx): Have["items"] {
  const epoch = tx.row(SYNC_SPACE, "epoch")?.value;
  return replicaRows(tx).filter((row) => row.epoch === epoch)
    .map((
      { uid, resource, namespace, name, version },
    ) => [uid, resource, namespace, name, version]);
}

/**
 * Takes over the hub's epoch. What came from an older one stays, and nothing removes it but a `put`
 * under the same name or {@linkcode allowPrune}. Returns whether the epoch is another one.
 */
export function adoptEpoch(tx: Tx, epoch: string): boolean {
  const before = tx.row(SYNC_SPACE, "epoch")?.value;
  if (before === epoch) return false;
  tx.putRow(SYNC_SPACE, "epoch", epoch);
  // A store restored from a copy has the same uids; what its future deleted is back.
  for (const { key } of tx.rows(GONE_SPACE)) tx.deleteRow(GONE_SPACE, key);
  return before !== undefined;
}

/**
 * Says that this node was joined anew: the next complete snapshot removes what it does not name of
 * older epochs. Call it in the command by which a person joins the node.
 */
export function allowPrune(tx: Tx): void {
  tx.putRow(SYNC_SPACE, "prune", "next-snapshot");
}

/**
 * Whether what runs on this node and is not in its store may be ended, if the hub has it no more: the
 * node was joined anew, and has had a complete snapshot since. It stays so until
 * {@linkcode straysSettled}, whatever becomes of the process.
 */
export function mayEndStrays(tx: Tx): boolean {
  return tx.row(SYNC_SPACE, "strays") !== undefined;
}

/** Says that the end of all that {@linkcode mayEndStrays} is about is written down. */
export function straysSettled(tx: Tx): void {
  tx.deleteRow(SYNC_SPACE, "strays");
}

/**
 * Applies one message of the hub to the node's store. Idempotent. `node` is this node's name.
 * `onRemoved` is told of what a `del`, or the end of a snapshot, removes. The caller commits and
 * then acks.
 */
export function applyMessage(
  tx: Tx,
  message: Put | Del | Snap,
  node: string,
  onRemoved?: OnRemoved,
): void {
  switch (message.t) {
    case "put":
      return applyPut(tx, message, node);
    case "del":
      onRemoved?.(message);
      return applyDel(tx, message);
    case "snap":
      return completeReplica(tx, onRemoved);
  }
}

function applyPut(tx: Tx, put: Put, node: string): void {
  const resource = findResource(put.resource);
  const { uid, namespace, name, resourceVersion: originRv = "" } = put.object.metadata;
  // A kind that only a newer hub knows; it means nothing to this agent.
  if (!resource || !uid) return;
  const epoch = tx.row(SYNC_SPACE, "epoch")?.value ?? "";
  if (put.proof !== undefined) keepSeen(tx, epoch, originRv, put.proof);
  const current = tx.get(refOf(resource, namespace, name));
  const same = current?.metadata.uid === uid;
  const row = tx.row(REPLICA_SPACE, uid);
  const known = row && readRow(row);
  if (tx.row(GONE_SPACE, uid)) return;
  if (same && known?.epoch === epoch) {
    // Another hub, whose view is behind, must not take the node back in time (4.4).
    if (known.version === put.version || isOlder(originRv, known.originRv)) return;
  }
  const replaced = current?.metadata.uid;
  if (replaced !== undefined && !same) {
    const before = tx.row(REPLICA_SPACE, replaced);
    const other = before && readRow(before);
    if (other?.epoch === epoch && isOlder(originRv, other.originRv)) return;
    tx.deleteRow(REPLICA_SPACE, replaced);
  }
  // A Node that the hub has just registered gets a uid of its own, and is still this node.
  const ours = current && (same || put.resource === "nodes") ? current : undefined;
  tx.put(resource, ours ? keepOwnStatus(put.resource, put.object, ours, node) : put.object);
  const { resource: kind, version } = put;
  tx.putRow(
    REPLICA_SPACE,
    uid,
    writeRow({ resource: kind, namespace: namespace ?? "", name, version, epoch, originRv }),
  );
}

/** One writer per field (4.5): what the node writes of an object, the hub's copy does not undo. */
function keepOwnStatus(
  resource: string,
  theirs: KubeObject,
  ours: KubeObject,
  node: string,
): KubeObject {
  const { status } = ours;
  if (resource === "nodes") return status === undefined ? theirs : { ...theirs, status };
  if (resource === "pods") {
    if (status === undefined) return theirs;
    const gated = withConditions(status, gateConditions(theirs));
    return { ...theirs, status: withEnd(gated, theirs["status"]) };
  }
  if (resource === "wasmfunctions.skerry.dev") {
    const own = entriesOf(ours).filter((entry) => entry.name === node);
    if (own.length === 0) return theirs;
    const others = entriesOf(theirs).filter((entry) => entry.name !== node);
    return { ...theirs, status: { ...theirs["status"], nodes: [...others, ...own] } };
  }
  return theirs;
}

/** A status with some conditions as somebody else says them. */
function withConditions(status: PodStatus, theirs: readonly Condition[]): PodStatus {
  if (theirs.length === 0) return status;
  const types = new Set(theirs.map(({ type }) => type));
  const kept = (status.conditions ?? []).filter(({ type }) => !types.has(type));
  return { ...status, conditions: [...kept, ...theirs] };
}

function entriesOf(object: KubeObject): { name?: string }[] {
  const nodes = object["status"]?.nodes;
  return Array.isArray(nodes) ? nodes : [];
}

function applyDel(tx: Tx, del: Del): void {
  const row = tx.row(REPLICA_SPACE, del.uid);
  const { resource: resourceName, namespace, name } = row ? readRow(row) : del;
  const resource = findResource(resourceName);
  if (resource) tx.purge(refOf(resource, namespace, name), { uid: del.uid });
  tx.deleteRow(REPLICA_SPACE, del.uid);
  if (del.reason !== "deleted") return;
  const { seq } = tx.putRow(GONE_SPACE, del.uid, "");
  // Now and then is enough, as reading them all for each deletion would cost more than it saves.
  if (seq % 16 !== 0) return;
  const gone = tx.rows(GONE_SPACE);
  for (const { key } of gone.slice(0, Math.max(0, gone.length - GONE_KEPT))) {
    tx.deleteRow(GONE_SPACE, key);
  }
}

/**
 * The replica is complete (`snap`, or equal digests): when {@linkcode allowPrune} was called, what
 * came from older epochs and was not named again goes now, and {@linkcode mayEndStrays} begins to
 * hold. `onRemoved` is told of each.
 */
export function completeReplica(tx: Tx, onRemoved?: OnRemoved): void {
  if (!tx.row(SYNC_SPACE, "prune")) return;
  const epoch = tx.row(SYNC_SPACE, "epoch")?.value;
  for (const row of replicaRows(tx)) {
    if (row.epoch === epoch) continue;
    const { resource: kind, uid, namespace, name } = row;
    onRemoved?.({ resource: kind, uid, name, ...(namespace ? { namespace } : {}) });
    const resource = findResource(row.resource);
    if (resource) tx.purge(refOf(resource, row.namespace, row.name), { uid: row.uid });
    tx.deleteRow(REPLICA_SPACE, row.uid);
  }
  tx.deleteRow(SYNC_SPACE, "prune");
  tx.putRow(SYNC_SPACE, "strays", "joined-anew");
}

function refOf(resource: ResourceDef, namespace: string | undefined, name: string) {
  return { resource, ...(namespace ? { namespace } : {}), name };
}

function writeRow(row: Omit<ReplicaRow, "uid">): string {
  const { resource, namespace, name, version, epoch, originRv } = row;
  return JSON.stringify([resource, namespace, name, version, epoch, originRv]);
}

function readRow({ key, value }: Row): ReplicaRow {
  const [resource = "", namespace = "", name = "", version = "", epoch = "", originRv = ""] = JSON
    .parse(value) as string[];
  return { uid: key, resource, namespace, name, version, epoch, originRv };
}
