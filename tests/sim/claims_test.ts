// What the claims of pods lead to: read by name again and again, and kept at the node.
import assert from "node:assert/strict";
import { AppError, seconds, sleep } from "../../core/base/mod.ts";
import {
  type KubeObject,
  type ObjectRef,
  RESOURCES,
  VOLUME_LIST,
  VOLUME_RESOURCES,
} from "../../core/api/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { names, podOn, refTo, Rig, type RigNode } from "./rig.ts";

const { pods } = RESOURCES;
const { persistentvolumeclaims, persistentvolumes, volumeattachments } = VOLUME_RESOURCES;
/** Of {@linkcode volume} on n1, by `printf 'vol-0csi.example.comn1' | sha256sum`. */
const ATTACHMENT = "csi-67aef90a604d84c70288ab5e3c2b9c622178605cf168d66560f91297cf4400ce";
const ALL = ["data", "pv", ATTACHMENT];

const mount = { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] };
const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace: "default", uid: "claim" },
  spec: { volumeName: "pv" },
  status: { phase: "Bound" },
};
const volume = {
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "pv", uid: "volume" },
  spec: {
    csi: { driver: "csi.example.com", volumeHandle: "vol-0" },
    claimRef: { namespace: "default", name: "data", uid: "claim" },
  },
  status: { phase: "Bound" },
};
function attachment(attached: boolean): KubeObject {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    metadata: { name: ATTACHMENT, uid: "attachment" },
    spec: { attacher: "csi.example.com", nodeName: "n1" },
    status: { attached },
  };
}

/** What the cluster answers to a `get`, in place of the object. */
type Answer = (ref: ObjectRef, node: string) => Promise<unknown> | undefined;

/** A cluster whose nodes may read what leads to volumes by name only, as with Kubernetes. */
class Cluster {
  answer: Answer = () => undefined;
  /** All reads, as `node resource/name`. */
  readonly reads: string[] = [];
  readonly rig: Rig = new Rig({ storeOf: (node) => this.#storeOf(node) });

  #storeOf(node: string): Store {
    const { store } = this.rig;
    return {
      get: async (ref) => {
        this.reads.push(`${node} ${ref.resource.plural}/${ref.name}`);
        await this.answer(ref, node);
        return await store.get(ref);
      },
      list: async (resource, options) => {
        if (VOLUME_LIST.includes(resource)) throw new AppError("Forbidden", "a node may not list");
        return await store.list(resource, options);
      },
      create: (resource, object, options) => store.create(resource, object, options),
      update: (ref, change, options) => store.update(ref, change, options),
      delete: (ref, options) => store.delete(ref, options),
      watch: (resource, options) => {
        if (VOLUME_LIST.includes(resource)) throw new AppError("Forbidden", "a node may not watch");
        return store.watch(resource, options);
      },
      epoch: () => store.epoch(),
    };
  }

  /** A hub, and a node whose pod has the three, not attached yet. */
  async withPod(observer?: Parameters<Rig["node"]>[1]): Promise<RigNode> {
    await this.rig.startHub();
    const node = this.rig.node("n1", observer);
    this.putAll();
    await this.rig.store.create(pods, podOn("n1", "a", mount));
    await this.rig.pass(2);
    assert.deepEqual(held(node), ALL);
    return node;
  }

  /** Puts the three there, not attached yet. */
  putAll(): void {
    this.rig.store.transact((tx) => {
      tx.put(persistentvolumeclaims, claim);
      tx.put(persistentvolumes, volume);
      tx.put(volumeattachments, attachment(false));
    });
  }
}

function refuse({ resource, name }: ObjectRef, node: string): Promise<never> {
  return Promise.reject(
    new AppError(
      "Forbidden",
      `${resource.plural} "${name}" is forbidden: no relationship found between node '${node}' ` +
        "and this object",
    ),
  );
}

function held(node: RigNode): string[] {
  return VOLUME_LIST.flatMap((resource) => names(node, resource));
}

function isAttached({ store }: RigNode): unknown {
  const ref = { resource: volumeattachments, name: ATTACHMENT };
  return store.transact((tx) => tx.get(ref))?.["status"]?.attached;
}

/** What ever left the node. */
function gone(): { readonly names: string[]; onDelete(tx: unknown, of: { name: string }): void } {
  const names: string[] = [];
  return { names, onDelete: (_, { name }) => void names.push(name) };
}

Deno.test("a node has its pod's claim before the pod, and what that leads to as long as the pod", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  await rig.startHub();
  const [n1, n2] = [rig.node("n1"), rig.node("n2")];
  cluster.putAll();
  await rig.store.create(pods, podOn("n1", "a", mount));
  await rig.store.create(pods, podOn("n2", "b"));
  const order: string[] = [];
  for (const resource of [pods, persistentvolumeclaims]) {
    void (async () => {
      for await (const event of await n1.store.watch(resource)) {
        if (event.type === "ADDED") order.push(event.object.metadata.name);
      }
    })();
  }
  await rig.pass(2);
  assert.deepEqual([names(n1), names(n2)], [["a"], ["b"]]);
  assert.deepEqual(order, ["data", "a"]);
  assert.deepEqual([held(n1), held(n2)], [ALL, []]);
  assert.equal(isAttached(n1), false);
  rig.store.transact((tx) => tx.put(volumeattachments, attachment(true)));
  await rig.pass(5);
  assert.equal(isAttached(n1), true);
  rig.store.transact((tx) => tx.purge(refTo(pods, "a")));
  await rig.pass(1);
  assert.deepEqual(held(n1), []);
  assert.deepEqual(cluster.reads.filter((read) => !read.startsWith("n1 ")), []);
  // Nobody wants them: nobody reads them, and in a while nobody follows them.
  await rig.pass(60);
  const before = cluster.reads.length;
  await rig.pass(600);
  assert.deepEqual([cluster.reads.length - before, rig.hub.followed], [0, 0]);
});

Deno.test("three objects that are settled cost three reads a minute", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  await rig.startHub();
  rig.node("n1");
  cluster.putAll();
  rig.store.transact((tx) => tx.put(volumeattachments, attachment(true)));
  await rig.store.create(pods, podOn("n1", "a", mount));
  await rig.pass(100);
  cluster.reads.length = 0;
  await rig.pass(3600);
  assert.ok(cluster.reads.length >= 165 && cluster.reads.length <= 195, `${cluster.reads.length}`);
});

Deno.test("a claim that is refused holds its pod up for five seconds, and comes when it may", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  await rig.startHub();
  const n1 = rig.node("n1");
  cluster.putAll();
  cluster.answer = refuse;
  await rig.store.create(pods, podOn("n1", "a", mount));
  await rig.pass(4.5);
  assert.deepEqual(names(n1), []);
  await rig.pass(1);
  assert.deepEqual([names(n1), held(n1)], [["a"], []]);
  cluster.answer = () => undefined;
  await rig.pass(10);
  assert.deepEqual(held(n1), ALL);
});

Deno.test("a hub that starts anew takes nothing from its nodes while it reads", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  const left = gone();
  const n1 = await cluster.withPod(left);
  await rig.stopHub();
  // First it does not answer, then its authorizer has not seen anything yet.
  cluster.answer = () => sleep(rig.clock, seconds(20));
  await rig.startHub();
  await rig.pass(25);
  cluster.answer = refuse;
  await rig.pass(30);
  assert.deepEqual([held(n1), left.names], [ALL, []]);
  cluster.answer = () => undefined;
  rig.store.transact((tx) => tx.put(volumeattachments, attachment(true)));
  await rig.pass(60);
  assert.deepEqual([held(n1), left.names, isAttached(n1)], [ALL, [], true]);
});

Deno.test("a right that the hub lacks takes nothing from nodes, however long", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  const left = gone();
  const n1 = await cluster.withPod(left);
  cluster.answer = () => Promise.reject(new AppError("Forbidden", "cannot impersonate-on"));
  await rig.pass(600);
  await rig.stopHub();
  await rig.startHub();
  await rig.pass(600);
  assert.deepEqual([held(n1), left.names], [ALL, []]);
});

Deno.test("an attachment that is gone while no hub ran leaves the node, and is not asked for in a rush", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  const left = gone();
  const n1 = await cluster.withPod(left);
  await rig.stopHub();
  rig.store.transact((tx) => tx.purge({ resource: volumeattachments, name: ATTACHMENT }));
  cluster.answer = (ref, node) =>
    ref.resource === volumeattachments ? refuse(ref, node) : undefined;
  await rig.startHub();
  await rig.pass(55);
  assert.deepEqual(held(n1), ALL);
  await rig.pass(60);
  assert.deepEqual([held(n1), left.names], [["data", "pv"], [ATTACHMENT]]);
  cluster.reads.length = 0;
  await rig.pass(600);
  assert.ok(cluster.reads.length < 60, `${cluster.reads.length}`);
  // It is attached anew.
  cluster.answer = () => undefined;
  rig.store.transact((tx) => tx.put(volumeattachments, attachment(true)));
  await rig.pass(60);
  assert.deepEqual([held(n1), isAttached(n1)], [ALL, true]);
});

Deno.test("a claim that is bound to another volume while no hub ran leads to that one alone", async () => {
  const cluster = new Cluster();
  await using rig = cluster.rig;
  const n1 = await cluster.withPod();
  await rig.stopHub();
  rig.store.transact((tx) => {
    tx.purge({ resource: volumeattachments, name: ATTACHMENT });
    const uid = "second";
    tx.put(persistentvolumeclaims, {
      ...claim,
      metadata: { ...claim.metadata, uid },
      spec: { volumeName: "other" },
    });
    tx.put(persistentvolumes, {
      ...volume,
      metadata: { name: "other", uid: "other" },
      spec: { nfs: {}, claimRef: { ...volume.spec.claimRef, uid } },
    });
  });
  await rig.startHub();
  await rig.pass(20);
  assert.deepEqual(held(n1), ["data", "other"]);
});

Deno.test("an embedded hub does not look for claims: its pods come at once", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(pods, podOn("n1", "a", mount));
  await rig.pass(0.5);
  assert.deepEqual([names(n1), held(n1), rig.hub.followed], [["a"], [], 0]);
});
