import { type KubeObject, type Lease, type ObjectRef, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  type Logger,
  type Ms,
  ms,
  seconds,
  type Service,
  sleep,
  toMicroTime,
} from "../../core/base/mod.ts";
import { isUnreachable } from "../../core/kube/mod.ts";
import { findObject, type LocalStore, type Store } from "../../core/store/mod.ts";

/** A connected node. */
export interface NodeSession {
  readonly node: string;
  /** When something was last heard of it, by the wall clock. */
  readonly lastSeen: Ms;
}

/** The namespace of Leases, as in Kubernetes. */
export const LEASE_NAMESPACE = "kube-node-lease";
/** How often a connected node's Lease is renewed. */
export const RENEW_EVERY = seconds(10);
const LEASE_SECONDS = 40;
/** A session that was silent this long is not alive any more, whatever the table says. */
export const SILENT_AFTER = seconds(20);
/** How finely the renewals are spread over their period. */
const SLOTS = 20;

/** Who counts renewals. */
export interface LeaseObserver {
  /** When the Lease of each connected node was renewed last (monotonic), by name: live, until the next call. */
  renewing(renewed: ReadonlyMap<string, Ms>): void;
  /** What a round of renewals has done. */
  renewals(counts: { readonly done: number; readonly failed: number }): void;
}

/** Options of {@linkcode createLeaseRenewal}. */
export interface LeaseOptions {
  readonly store: Store;
  /** Where a node's Lease is written, as the node. @default {`store`} */
  readonly storeOf?: ((node: string) => Store) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** The nodes that are connected to this hub now. */
  readonly sessions: () => Iterable<NodeSession>;
  /** @default {nobody counts} */
  readonly observe?: LeaseObserver;
}

/**
 * The nodes whose Lease is due in a slot. Pure: a node's slot follows from its name. `now` is the wall
 * clock of `sessions`; `at` and `renewed` are monotonic.
 */
export function dueNodes(
  sessions: Iterable<NodeSession>,
  options: { slot: number; renewed: ReadonlyMap<string, Ms>; now: Ms; at: Ms },
): NodeSession[] {
  const { slot, renewed, now, at } = options;
  const due: NodeSession[] = [];
  for (const session of sessions) {
    if (now - session.lastSeen > SILENT_AFTER) continue;
    const last = renewed.get(session.node);
    // New ones at once; the others in their slot, unless that was missed.
    const late = last === undefined || at - last >= RENEW_EVERY + RENEW_EVERY / SLOTS;
    if (late || slotOf(session.node) === slot) due.push(session);
  }
  return due;
}

function slotOf(node: string): number {
  let hash = 0;
  for (let i = 0; i < node.length; i++) hash = (hash * 31 + node.charCodeAt(i)) >>> 0;
  return hash % SLOTS;
}

/**
 * Renews the Leases of connected nodes, each every 10 s, spread evenly. The hub knows from its
 * sessions who is alive, so the nodes need not send anything for it.
 */
export function createLeaseRenewal(options: LeaseOptions): Service {
  const { clock, log, sessions } = options;
  return {
    name: "lease-renewal",
    onFailure: "restart",
    async run(signal, ready) {
      const renewed = new Map<string, Ms>();
      const known = new Map<string, KubeObject>();
      let away = false;
      options.observe?.renewing(renewed);
      ready();
      for (let slot = 0; !signal.aborted; slot = (slot + 1) % SLOTS) {
        const at = clock.monotonic();
        const all = [...sessions()];
        const due = dueNodes(all, { slot, renewed, now: clock.now(), at });
        // While nothing is reached one tells as much as thousands, twice a second.
        const failed = await renewAll(options, away ? due.slice(0, 1) : due, { renewed, known });
        if (failed !== undefined) {
          log[failureLevel(failed)]("leases could not be renewed", {
            error: errorText(failed),
            count: due.length,
          });
        }
        if (due.length > 0) away = isUnreachable(failed);
        const connected = new Set(all.map(({ node }) => node));
        for (const node of renewed.keys()) {
          if (connected.has(node)) continue;
          renewed.delete(node);
          known.delete(node);
        }
        const left = RENEW_EVERY / SLOTS - (clock.monotonic() - at);
        await sleep(clock, ms(Math.max(1, left)), signal).catch(() => {});
      }
    },
  };
}

/** What is remembered between renewals, by node. */
interface Renewals {
  /** Monotonic: a wall clock that is set back must not stop the renewals. */
  readonly renewed: Map<string, Ms>;
  /** The Lease as it was written last. */
  readonly known: Map<string, KubeObject>;
}

/**
 * Renews the Leases of `due`. A store in this process does it in one transaction, which costs one
 * write to the disk and not one a node. One that fails does not stop the others. Returns the last
 * error.
 */
async function renewAll(
  options: LeaseOptions,
  due: readonly NodeSession[],
  { renewed, known }: Renewals,
): Promise<unknown> {
  let failed: unknown;
  const counts = { done: 0, failed: 0 };
  const now = options.clock.now();
  const at = options.clock.monotonic();
  const left = new Set(due.map(({ node }) => node));
  if (isLocal(options.store) && left.size > 0) {
    try {
      for (const node of renewTogether(options.store, left, now)) {
        left.delete(node);
        renewed.set(node, at);
        counts.done++;
      }
    } catch (error) {
      failed = error;
    }
  }
  await Promise.all([...left].map(async (node) => {
    try {
      const lease = await renewLease(options, node, known.get(node));
      if (!lease) return;
      renewed.set(node, at);
      known.set(node, lease);
      counts.done++;
    } catch (error) {
      counts.failed++;
      failed = error;
    }
  }));
  if (due.length > 0) options.observe?.renewals(counts);
  return failed;
}

function isLocal(store: Store): store is LocalStore {
  return "transact" in store;
}

/** Renews the Leases that exist. Returns whose they are. */
function renewTogether(store: LocalStore, nodes: Iterable<string>, now: Ms): string[] {
  return store.transact((tx) => {
    const done: string[] = [];
    for (const node of nodes) {
      const ref = leaseRef(node);
      if (!tx.get(ref)) continue;
      tx.update(ref, (lease) => renewedLease(lease, now));
      done.push(node);
    }
    return done;
  });
}

function leaseRef(node: string): ObjectRef {
  return { resource: RESOURCES.leases, namespace: LEASE_NAMESPACE, name: node };
}

function renewedLease(lease: KubeObject, now: Ms): KubeObject {
  const { name: holderIdentity } = lease.metadata;
  return {
    ...lease,
    spec: {
      ...lease["spec"],
      holderIdentity,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: toMicroTime(now),
    },
  };
}

/**
 * Renews or creates the Lease of a node; `known` is the one of its last renewal. Returns `undefined`
 * when there is no such Node (yet).
 */
export async function renewLease(
  { store, storeOf, clock }: Pick<LeaseOptions, "store" | "storeOf" | "clock">,
  node: string,
  known?: KubeObject,
): Promise<KubeObject | undefined> {
  const own = storeOf?.(node) ?? store;
  const now = clock.now();
  try {
    return await own.update(leaseRef(node), (lease) => renewedLease(lease, now), { from: known });
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
  }
  const found = await findObject(store, { resource: RESOURCES.nodes, name: node });
  if (!found) return undefined;
  const { uid } = found.metadata;
  const lease: Lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name: node,
      namespace: LEASE_NAMESPACE,
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: node, uid: uid ?? "" }],
    },
    spec: {
      holderIdentity: node,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: toMicroTime(now),
    },
  };
  try {
    return await own.create(RESOURCES.leases, lease);
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
  }
  return await own.get(leaseRef(node));
}
