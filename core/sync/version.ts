import { createHash } from "node:crypto";
import { endOf, gateConditions, type KubeObject } from "../api/mod.ts";

/** Resources whose `status` belongs to nodes: a change of it alone is not sent down again. */
const STATUS_FROM_NODES: ReadonlySet<string> = new Set([
  "pods",
  "nodes",
  "wasmfunctions.skerry.dev",
]);

const known = new WeakMap<KubeObject, string>();

/**
 * What a replica must have of an object, as one word: equal words, nothing to send. For resources
 * whose status the nodes write it is a hash of the rest, so that no node gets its own status
 * echoed; for others it is the `resourceVersion`. Objects of a store are frozen, so it is computed once.
 */
export function versionOf(resource: string, object: KubeObject): string {
  if (!STATUS_FROM_NODES.has(resource)) return object.metadata.resourceVersion ?? "";
  const cached = known.get(object);
  if (cached !== undefined) return cached;
  const { status: _status, metadata, ...rest } = object;
  const { resourceVersion: _version, managedFields: _fields, ...meta } = metadata;
  // What others say for the pod's readiness, or of its end, comes from above, though it stands in the
  // status.
  const gates = resource === "pods" ? gateConditions(object) : [];
  const { phase } = resource === "pods" ? endOf(object["status"] ?? {}) : {};
  const parts: unknown[] = [meta, rest];
  if (gates.length > 0 || phase !== undefined) parts.push(gates);
  if (phase !== undefined) parts.push(phase);
  const text = JSON.stringify(parts);
  const version = createHash("sha256").update(text).digest("hex").slice(0, 24);
  known.set(object, version);
  return version;
}

/** Whether version `a` is before `b` in one history. What is not decimal cannot be compared. */
export function isOlder(a: string, b: string): boolean {
  return /^\d{1,19}$/.test(a) && /^\d{1,19}$/.test(b) && BigInt(a) < BigInt(b);
}

/** One object of a replica. */
export interface ReplicaEntry {
  readonly uid: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
}

/** SHA-256 of a replica (docs/protocol.md 4.2): equal digests, equal views. */
export function digestOf(entries: Iterable<ReplicaEntry>): string {
  const lines = [...entries].map((entry) => `${entry.uid} ${entry.resource} ${entry.version}\n`);
  const hash = createHash("sha256");
  for (const line of lines.sort()) hash.update(line);
  return hash.digest("hex");
}
