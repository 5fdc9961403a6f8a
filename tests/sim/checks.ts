import type { KubeObject, Pod, WasmFunction } from "../../core/api/mod.ts";
import { findResource, RESOURCES, wasmFunctionMatchesNode } from "../../core/api/mod.ts";
import { AppError, isAppError } from "../../core/base/mod.ts";
import type { Message } from "../../core/link/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { type ReplicaRow, replicaRows } from "../../core/sync/mod.ts";
import type { SimNode } from "./sim_node.ts";
import type { Seen } from "./taps.ts";
import type { World } from "./world.ts";

const { pods, wasmfunctions } = RESOURCES;

/** Acks follow commits: what is acked stands on the node's disk. */
export function checkAck(world: World, node: SimNode, seen: readonly Seen[]): void {
  const last = new Map<string, Seen>();
  for (const message of seen) {
    if (message.t === "snap") continue;
    // A uid that was deleted does not come back; a hub that is behind may still send it.
    if (last.get(message.uid)?.reason === "deleted") continue;
    last.set(message.uid, message);
  }
  const rows = node.disk.transact(replicaRows);
  for (const [uid, message] of last) {
    const row = rows.find((row) => row.uid === uid);
    if (message.t === "del") {
      if (row) world.fail(`${node.name} acked the removal of ${message.key} but has it`);
      continue;
    }
    if (row?.version === message.version) continue;
    if (row && isNewer(row.originRv, message.originRv)) continue;
    if (!row && refused(node, rows, message)) continue;
    world.fail(`${node.name} acked ${message.key} at ${message.version}, has ${row?.version}`);
  }
}

/** Whether the node was right not to take a `put`: its uid is gone, or its name is another's. */
function refused(
  node: SimNode,
  rows: readonly ReplicaRow[],
  { uid, key, originRv }: Seen,
): boolean {
  if (node.disk.transact((tx) => tx.row("replica-gone", uid))) return true;
  const other = rows.find((row) => `${row.resource}/${row.namespace}/${row.name}` === key);
  return other !== undefined && isNewer(other.originRv, originRv);
}

function isNewer(a: string, b: string): boolean {
  return Number(a) > Number(b);
}

/** A `del` as a hub sends it. */
export interface DelMessage {
  readonly resource: string;
  readonly uid: string;
  readonly namespace?: string;
  readonly name: string;
  readonly reason: string;
}

/** Nothing is deleted without evidence: what a hub calls deleted does not exist. */
export function checkDel(
  world: World,
  node: string,
  del: DelMessage,
): void {
  const live = read(world, del.resource, del.namespace ?? "", del.name);
  const exists = live?.metadata.uid === del.uid;
  if (del.reason === "deleted" && exists) {
    world.fail(`${del.resource} ${del.name} was called deleted for ${node}, but exists`);
  }
  if (exists && del.resource === "pods" && live["spec"].nodeName === node) {
    world.fail(`pod ${del.name} was taken from ${node}, which it is bound to`);
  }
}

/** No acked intent is lost: what the hub calls done is in its store. */
export function checkResult(world: World, node: string, intent: Message, ok: boolean): void {
  // deno-lint-ignore no-explicit-any -- bodies of every kind
  const body = intent.body as any;
  const resource = intent.kind === "function-status" ? "wasmfunctions.skerry.dev" : "pods";
  const live = read(world, resource, body.namespace, body.name);
  const same = live !== undefined && live.metadata.uid === body.uid;
  if (intent.kind === "pod-gone") {
    if (ok && same) world.fail(`pod-gone of ${body.name} was answered, but the pod is there`);
    return;
  }
  if (!live || !same) return;
  if (intent.kind === "pod-status" && live["spec"].nodeName === node) {
    const said = body.status.observedGeneration;
    if (!ok) world.fail(`status of ${body.name} was refused`);
    else if (counter(live["status"]?.observedGeneration) < counter(said)) {
      world.fail(`status ${said} of ${body.name} was answered, but is not there`);
    }
    if (world.ended.has(body.uid) && live["status"]?.phase !== "Failed") {
      world.fail(`pod ${body.name} had failed, and is ${live["status"]?.phase} again`);
    }
  }
  if (intent.kind === "function-status" && ok) {
    const theirs = reportOf(live as WasmFunction, node);
    if (counter(theirs?.message) < counter(body.node.message)) {
      world.fail(
        `function status of ${body.name} was answered, but is not there ${node} seq ${intent.seq} ${
          JSON.stringify(body)
        } live ${JSON.stringify(theirs)}`,
      );
    }
  }
}

/** A container is stopped only when its pod is being deleted, has ended, is gone, or is another node's. */
export function checkStop(
  world: World,
  node: SimNode,
  { uid, namespace, name }: { uid: string; namespace: string; name: string },
): void {
  const live = read(world, "pods", namespace, name);
  if (live?.metadata.uid !== uid) return;
  if (live.metadata.deletionTimestamp !== undefined || world.ended.has(uid)) return;
  if (live["spec"].nodeName !== node.name) return;
  world.fail(`${node.name} stopped ${namespace}/${name}, which should run`);
}

/** No intent is lost on the way: what the node reported last is at the hub, or waits in the outbox. */
export function checkOutbox(world: World, node: SimNode): void {
  const { reported, waiting } = node.disk.transact((tx) => ({
    reported: tx.rows("sim"),
    waiting: new Set(tx.rows("outbox").map(({ key }) => key)),
  }));
  for (const { key: uid, value } of reported) {
    if (waiting.has(`pod-status/${uid}`) || node.refused.has(uid)) continue;
    const pod = (list(world, pods) as Pod[]).find(({ metadata }) => metadata.uid === uid);
    if (pod?.spec.nodeName !== node.name) continue;
    if (counter(pod.status?.observedGeneration) < counter(value)) {
      world.fail(`status ${value} of ${pod.metadata.name} is neither at the hub nor waiting`);
    }
  }
}

/** What does not agree after the faults have stopped; empty when all is as it should be. */
export function differences(world: World): string[] {
  return world.nodes.flatMap((node) => [
    ...replicaDifferences(world, node),
    ...outboxDifferences(node),
    ...statusDifferences(world, node),
    ...containerDifferences(world, node),
  ]);
}

function replicaDifferences(world: World, node: SimNode): string[] {
  const wanted = naiveInterest(world, node.name);
  const { rows, local, epoch } = node.disk.transact((tx) => ({
    rows: replicaRows(tx),
    epoch: tx.row("sync", "epoch")?.value,
    local: (key: string): KubeObject | undefined => get(node.disk, key),
  }));
  const out: string[] = [];
  const held = new Map(
    rows.filter((row) => row.epoch === epoch)
      .map((row) => [`${row.resource}/${row.namespace}/${row.name}`, row]),
  );
  for (const [key, object] of wanted) {
    const ours = local(key);
    const { uid } = object.metadata;
    if (!ours || held.get(key)?.uid !== uid || ours.metadata.uid !== uid) {
      out.push(`${node.name} lacks ${key} ${uid}`);
    } else if (content(ours) !== content(object)) {
      out.push(`${node.name} has an old ${key}`);
    }
  }
  for (const key of held.keys()) if (!wanted.has(key)) out.push(`${node.name} still has ${key}`);
  return out;
}

function outboxDifferences(node: SimNode): string[] {
  const rows = node.disk.transact((tx) => tx.rows("outbox"));
  return rows.map(({ key }) => `${node.name} still has ${key} in its outbox`);
}

function statusDifferences(world: World, node: SimNode): string[] {
  const counters = new Map(
    node.disk.transact((tx) => tx.rows("sim")).map((row) => [row.key, row.value]),
  );
  const out: string[] = [];
  for (const pod of list(world, pods) as Pod[]) {
    const ours = counters.get(pod.metadata.uid ?? "");
    if (pod.spec.nodeName !== node.name || ours === undefined) continue;
    const said = pod.status?.observedGeneration;
    if (said !== counter(ours)) {
      out.push(`pod ${pod.metadata.name} says ${said}, its node said ${ours}`);
    }
    if (pod.status?.reason !== undefined && !world.ended.has(pod.metadata.uid ?? "")) {
      out.push(`pod ${pod.metadata.name} has the status that somebody else wrote`);
    }
  }
  for (const fn of list(world, wasmfunctions) as WasmFunction[]) {
    const ours = counters.get(fn.metadata.uid ?? "");
    const theirs = reportOf(fn, node.name)?.message;
    if (ours !== undefined && naiveInterest(world, node.name).has(keyOf(fn)) && theirs !== ours) {
      out.push(`function ${fn.metadata.name} says ${theirs}, ${node.name} said ${ours}`);
    }
  }
  return out;
}

function containerDifferences(world: World, node: SimNode): string[] {
  const wanted = (list(world, pods) as Pod[]).filter(({ spec, metadata }) =>
    spec.nodeName === node.name && metadata.deletionTimestamp === undefined &&
    !world.ended.has(metadata.uid ?? "")
  );
  const uids = new Set(wanted.map(({ metadata }) => metadata.uid ?? ""));
  const names = new Set(wanted.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const out: string[] = [];
  for (const pod of wanted) {
    if (!node.running.has(pod.metadata.uid ?? "")) {
      out.push(`${node.name} does not run ${pod.metadata.name}`);
    }
  }
  for (const [uid, { namespace, name }] of node.running) {
    if (!uids.has(uid) && !node.kept.has(uid)) out.push(`${node.name} still runs ${name}`);
    if (node.kept.has(uid) && names.has(`${namespace}/${name}`) && !uids.has(uid)) {
      out.push(`${node.name} runs the old ${name} beside the new one`);
    }
  }
  return out;
}

/** Interest worked out the slow way, from lists, as a second opinion on `interestOf`. */
function naiveInterest(world: World, node: string): Map<string, KubeObject> {
  const out = new Map<string, KubeObject>();
  const add = (object: KubeObject | undefined): void => {
    if (object) out.set(keyOf(object), object);
  };
  const find = (resource: "configmaps" | "secrets", namespace = "", name?: string): void => {
    if (name) add(read(world, resource, namespace, name));
  };
  for (const pod of list(world, pods) as Pod[]) {
    if (pod.spec.nodeName !== node) continue;
    add(pod);
    const { namespace } = pod.metadata;
    for (const volume of pod.spec.volumes ?? []) {
      find("configmaps", namespace, volume.configMap?.name);
      find("secrets", namespace, volume.secret?.secretName);
    }
    for (const container of pod.spec.containers) {
      for (const source of container.envFrom ?? []) {
        find("configmaps", namespace, source.configMapRef?.name);
        find("secrets", namespace, source.secretRef?.name);
      }
    }
  }
  const self = read(world, "nodes", "", node);
  add(self);
  for (const fn of list(world, wasmfunctions) as WasmFunction[]) {
    const labels = self?.metadata.labels ?? {};
    if (!wasmFunctionMatchesNode(fn, { name: node, labels })) continue;
    add(fn);
    find("configmaps", fn.metadata.namespace, fn.spec.source.configMapRef?.name);
  }
  return out;
}

/** For a mutant: takes everything that a view lacks for deleted, without asking. */
export function believingAbsence<T extends Store>(store: T): T {
  return new Proxy(store, {
    get(target, name) {
      if (name === "get") return () => Promise.reject(notFound);
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const notFound = new AppError("NotFound", "not in the view");

const RESOURCE_OF: Record<string, string> = {
  Pod: "pods",
  ConfigMap: "configmaps",
  Secret: "secrets",
  Node: "nodes",
  WasmFunction: "wasmfunctions.skerry.dev",
};

function keyOf({ kind, metadata }: KubeObject): string {
  return `${RESOURCE_OF[kind]}/${metadata.namespace ?? ""}/${metadata.name}`;
}

function content({ metadata, spec, data }: KubeObject): string {
  const { labels, annotations, deletionTimestamp } = metadata;
  return JSON.stringify([labels, annotations, deletionTimestamp, spec, data]);
}

function reportOf(fn: WasmFunction, node: string): { message?: string } | undefined {
  return fn.status?.nodes?.find(({ name }) => name === node);
}

function counter(said: string | number | undefined): number {
  return Number(said ?? 0);
}

function list(world: World, resource: typeof pods): KubeObject[] {
  return world.disk.transact((tx) => tx.list(resource));
}

function read(world: World, resource: string, namespace: string, name: string) {
  return get(world.disk, `${resource}/${namespace}/${name}`);
}

function get(disk: World["disk"], key: string): KubeObject | undefined {
  const [resourceName = "", namespace = "", name = ""] = key.split("/");
  const resource = findResource(resourceName);
  if (!resource) return undefined;
  try {
    return disk.transact((tx) => tx.get({ resource, ...(namespace ? { namespace } : {}), name }));
  } catch (error) {
    if (isAppError(error, "NotFound")) return undefined;
    throw error;
  }
}
