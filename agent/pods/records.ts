import {
  type KubeObject,
  type Pod,
  type PodStatus,
  RESOURCES,
  type RuntimeClass,
  type Service,
} from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import { deepEqual, type LocalStore, type Tx } from "../../core/store/mod.ts";
import { DEVICE_SPACE } from "./devices.ts";
import { isTerminal } from "./policy/finish.ts";
import { containerMemory, parseMemory, type PodMemory } from "./policy/memory.ts";
import { isFromManifest } from "../manifests/mod.ts";
import { buryPod, GONE_SPACE, MEMORY_SPACE, type PodReports } from "./options.ts";
import type { ConfigData, PodEvent, PodObjects } from "./policy/plan.ts";
import { readToken, tokenKey, tokenSources } from "./pod_tokens.ts";
import type { ReplacedBy } from "./policy/removal.ts";
import { allocatedPod, isCounted } from "./policy/resize_grant.ts";
import { podRefs } from "./refs.ts";

/** What the store holds of one pod. */
export interface PodRecord {
  readonly pod?: Pod;
  readonly memory?: PodMemory;
  /** The hub has said that the pod is gone. */
  readonly tombstone?: { readonly graceSeconds?: number };
  /** Another pod has its name now, that came from there. */
  readonly replacedBy?: ReplacedBy;
  readonly objects: PodObjects;
  /** Changes whenever what the volumes are made of changes. */
  readonly version: string;
}

/** Reads and writes pods, their memory and their reports; every write is one transaction. */
export class PodRecords {
  readonly #store: LocalStore;
  readonly #report: PodReports;
  readonly #written: (uid: string) => void;
  readonly #localCa: string | undefined;
  /** Versions of pods that were made here, by writing their status. */
  readonly #own = new Map<string, string>();

  /**
   * `written` is told after each commit. `localCa` stands beside the cluster's own CA in what pods
   * read of it.
   */
  constructor(
    store: LocalStore,
    report: PodReports,
    written: (uid: string) => void,
    localCa?: string,
  ) {
    this.#localCa = localCa;
    this.#store = store;
    this.#report = report;
    this.#written = written;
  }

  /** The pod of that name, and of that UID when one is given. */
  find(want: { namespace: string; name: string; uid?: string }): Pod | undefined {
    const { namespace, name, uid } = want;
    const ref = { resource: RESOURCES.pods, namespace, name };
    const found = this.#store.transact((tx) => tx.get(ref)) as Pod | undefined;
    return uid === undefined || found?.metadata.uid === uid ? found : undefined;
  }

  /** All memories, for the start; devices of pods that nobody remembers are free again. */
  memories(): PodMemory[] {
    return this.#store.transact((tx) => {
      for (const { key } of tx.rows(DEVICE_SPACE)) {
        if (!tx.row(MEMORY_SPACE, key)) tx.deleteRow(DEVICE_SPACE, key);
      }
      return tx.rows(MEMORY_SPACE).map((row) => parseMemory(row.value));
    });
  }

  /** Everything about the pod with this UID that has or had this name. */
  read(uid: string, name: { namespace: string; name: string }): PodRecord {
    return this.#store.transact((tx) => {
      const found = tx.get({ resource: RESOURCES.pods, ...name }) as Pod | undefined;
      const pod = found?.metadata.uid === uid ? found : undefined;
      const row = tx.row(MEMORY_SPACE, uid);
      const gone = tx.row(GONE_SPACE, uid);
      return {
        ...(pod ? { pod } : {}),
        ...(row ? { memory: parseMemory(row.value) } : {}),
        ...(gone ? { tombstone: parseTombstone(gone.value) } : {}),
        ...(found && !pod ? { replacedBy: isFromManifest(tx, found) ? "manifest" : "hub" } : {}),
        ...readObjects(tx, pod, this.#localCa),
      };
    });
  }

  /** The Services that pods of a namespace may be told of. */
  services(namespace: string): Service[] {
    const { services } = RESOURCES;
    return this.#store.transact((tx) => {
      const ref = { resource: services, namespace: "default", name: "kubernetes" };
      return [tx.get(ref) ?? [], tx.list(services, namespace)].flat() as Service[];
    });
  }

  /**
   * The pods but `uid` that were let in and have not ended, with the resources that they were
   * granted: what the node's are taken by.
   */
  admitted(uid: string): Pod[] {
    return this.#store.transact((tx) =>
      tx.rows(MEMORY_SPACE).flatMap((row) => {
        const memory = parseMemory(row.value);
        const { namespace, name } = memory;
        if (row.key === uid || !isCounted(memory)) return [];
        const pod = tx.get({ resource: RESOURCES.pods, namespace, name }) as Pod | undefined;
        return pod?.metadata.uid === row.key ? [allocatedPod(pod, memory)] : [];
      })
    );
  }

  /**
   * The runtime's handler for a pod by its RuntimeClass; `undefined` for the runtime's own.
   *
   * @throws {AppError} NotFound when there is no such class
   */
  runtimeHandler(pod: Pod | undefined): string | undefined {
    const name: unknown = pod?.spec.runtimeClassName;
    if (typeof name !== "string" || name === "") return undefined;
    const ref = { resource: RESOURCES.runtimeclasses, name };
    const found = this.#store.transact((tx) => tx.get(ref)) as RuntimeClass | undefined;
    if (found) return found.handler;
    throw new AppError("NotFound", `RuntimeClass "${name}" not found`);
  }

  /** The pods of this node, whatever has become of them. */
  all(nodeName: string): Pod[] {
    const pods = this.#store.transact((tx) => tx.list(RESOURCES.pods)) as Pod[];
    return pods.filter(({ spec }) => spec.nodeName === nodeName);
  }

  /** Whether anything is known of a pod: its object, its memory or that it is to end. */
  knows(uid: string, nodeName: string): boolean {
    const row = this.#store.transact((tx) => tx.row(MEMORY_SPACE, uid) ?? tx.row(GONE_SPACE, uid));
    return row !== undefined || this.all(nodeName).some(({ metadata }) => metadata.uid === uid);
  }

  /** The UIDs of all pods that {@linkcode knows} is true of. */
  known(nodeName: string): Set<string> {
    const rows = this.#store.transact((tx) => [...tx.rows(MEMORY_SPACE), ...tx.rows(GONE_SPACE)]);
    const uids = this.all(nodeName).map(({ metadata }) => metadata.uid ?? "");
    return new Set([...rows.map(({ key }) => key), ...uids]);
  }

  /** Notes that the hub has deleted a pod. */
  bury(uid: string, graceSeconds?: number): void {
    this.#store.transact((tx) => buryPod(tx, uid, graceSeconds));
  }

  /** Whether this is a pod as it was left by a {@linkcode commit}: nobody else has changed it since. */
  isOwn({ metadata: { uid = "", resourceVersion } }: Pod): boolean {
    return this.#own.get(uid) === resourceVersion;
  }

  /**
   * Writes one step: memory, status, events, and the end. Returns false when nothing is new, and
   * nothing was written.
   */
  commit(
    before: PodRecord,
    step: {
      readonly memory: PodMemory;
      readonly status?: PodStatus;
      readonly events: readonly PodEvent[];
      readonly gone: boolean;
    },
  ): boolean {
    const { pod } = before;
    const news = step.status !== undefined && !deepEqual(pod?.status, step.status);
    const memory = step.gone ? { ...step.memory, gone: true as const } : step.memory;
    const changed = !deepEqual(before.memory, memory);
    if (!news && !changed && step.events.length === 0 && !step.gone) return false;
    let version: string | undefined;
    this.#store.transact((tx) => {
      if (changed) tx.putRow(MEMORY_SPACE, memory.uid, JSON.stringify(memory));
      if (memory.gone || isTerminal(memory)) tx.deleteRow(DEVICE_SPACE, memory.uid);
      if (pod && step.status && news) version = this.#writeStatus(tx, pod, step.status);
      for (const event of pod ? step.events : []) this.#report.event(tx, pod as Pod, event);
      if (step.gone) this.#end(tx, pod, memory.uid);
    }, { durable: mustStay(before.memory, memory) });
    if (step.gone) this.#own.delete(memory.uid);
    else if (version !== undefined) this.#own.set(memory.uid, version);
    this.#written(memory.uid);
    return true;
  }

  /** Emits an event by itself. */
  event(pod: Pod, event: PodEvent): void {
    this.#store.transact((tx) => this.#report.event(tx, pod, event), { durable: false });
  }

  /** Forgets a pod of which nothing is left. */
  forget(uid: string): void {
    this.#own.delete(uid);
    this.#store.transact((tx) => {
      tx.deleteRow(MEMORY_SPACE, uid);
      tx.deleteRow(GONE_SPACE, uid);
    });
  }

  /**
   * Writes the status into the object as it is now. By `put`, as an update would remove an object
   * that is being deleted with no grace, and only the end of the pod may do that. Returns its version.
   */
  #writeStatus(tx: Tx, pod: Pod, status: PodStatus): string | undefined {
    const current = tx.get(refOf(pod)) as Pod | undefined;
    // Removed or replaced since it was read: the next look sees that.
    if (!current || current.metadata.uid !== pod.metadata.uid) return undefined;
    const written = tx.put(RESOURCES.pods, { ...current, status }) as Pod;
    this.#report.status(tx, written, status);
    return written.metadata.resourceVersion;
  }

  #end(tx: Tx, pod: Pod | undefined, uid: string): void {
    if (!pod) {
      tx.deleteRow(MEMORY_SPACE, uid);
      tx.deleteRow(GONE_SPACE, uid);
    } else {
      // Of a pod of a manifest the hub has a mirror, which ends with it.
      this.#report.gone(tx, pod);
      if (!isFromManifest(tx, pod)) return;
      tx.purge(refOf(pod), { uid });
      tx.deleteRow(MEMORY_SPACE, uid);
    }
  }
}

/**
 * Whether a step must be on the disk before it is acted on: exits, restarts and ends. What else is
 * remembered is about what runs, and a power cut ends that as well.
 */
function mustStay(before: PodMemory | undefined, now: PodMemory): boolean {
  if (now.gone || isTerminal(now) || !deepEqual(before?.ending, now.ending)) return true;
  if (!deepEqual(before?.finish, now.finish)) return true;
  return Object.entries(now.containers).some(([name, { attempt, exit }]) => {
    const old = before && containerMemory(before, name);
    return attempt !== (old?.attempt ?? 0) || !deepEqual(old?.exit, exit);
  });
}

function refOf(pod: Pod): { resource: typeof RESOURCES.pods; namespace: string; name: string } {
  const { namespace = "default", name } = pod.metadata;
  return { resource: RESOURCES.pods, namespace, name };
}

function parseTombstone(value: string): { graceSeconds?: number } {
  try {
    const { graceSeconds } = JSON.parse(value) as { graceSeconds?: unknown };
    return typeof graceSeconds === "number" && graceSeconds >= 0 ? { graceSeconds } : {};
  } catch {
    // The row is the evidence; what stands in it is only the grace.
    return {};
  }
}

/** Where every namespace of a cluster has the CA of its API server. */
const ROOT_CA = { configMap: "kube-root-ca.crt", key: "ca.crt" };

function readObjects(
  tx: Tx,
  pod: Pod | undefined,
  localCa: string | undefined,
): Pick<PodRecord, "objects" | "version"> {
  const objects = {
    configMaps: {} as Record<string, ConfigData>,
    secrets: {} as Record<string, ConfigData>,
    tokens: {} as Record<string, string>,
  };
  if (!pod) return { objects, version: "" };
  const version: unknown[] = [pod.metadata.labels, pod.metadata.annotations];
  const namespace = pod.metadata.namespace ?? "default";
  const refs = podRefs(pod);
  for (const name of refs.configMaps) {
    const found = tx.get({ resource: RESOURCES.configmaps, namespace, name });
    version.push(name, versionOf(found));
    if (!found) continue;
    const config = configMapData(found);
    const root = config.data[ROOT_CA.key];
    if (name !== ROOT_CA.configMap || localCa === undefined || root === undefined) {
      objects.configMaps[name] = config;
    } else {
      const both = `${root.trimEnd()}\n${localCa}`;
      objects.configMaps[name] = { ...config, data: { ...config.data, [ROOT_CA.key]: both } };
    }
  }
  for (const name of refs.secrets) {
    const found = tx.get({ resource: RESOURCES.secrets, namespace, name });
    version.push(name, versionOf(found));
    if (found) objects.secrets[name] = secretData(found);
  }
  for (const source of tokenSources(pod)) {
    const found = readToken(tx, pod, source);
    version.push(tokenKey(source), found?.issuedAt ?? 0);
    if (found) objects.tokens[tokenKey(source)] = found.token;
  }
  return { objects, version: JSON.stringify(version) };
}

/** What is immutable is read once: another one of its name is for pods that come later. */
function versionOf(found: KubeObject | undefined): string {
  if (!found) return "";
  const { uid, resourceVersion } = found.metadata;
  return found.immutable === true ? "immutable" : `${uid}/${resourceVersion}`;
}

function configMapData(object: KubeObject): ConfigData {
  return { data: object.data ?? {}, binary: object.binaryData ?? {} };
}

function secretData(object: KubeObject): ConfigData {
  return { data: object.stringData ?? {}, binary: object.data ?? {} };
}
