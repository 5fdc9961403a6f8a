import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import type { StoreCase } from "./store.ts";
import { configMap, deployment, refTo, rejectsWith, sample } from "./store_helpers.ts";

const { configmaps, deployments, nodes } = RESOURCES;
const one = refTo(configmaps, "one");

/** Creating, reading and updating. */
export const writeCases: readonly StoreCase[] = [
  {
    name: "create() sets uid, version and creation time, and get() shows the same",
    async run({ store }) {
      const given = configMap("one", { metadata: { uid: "mine", labels: { a: "b" } } });
      const created = await store.create(configmaps, given);
      assert.ok(created.metadata.uid && created.metadata.uid !== "mine");
      assert.match(created.metadata.resourceVersion ?? "", /^\d+$/);
      assert.match(created.metadata.creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual(created.metadata.labels, { a: "b" });
      assert.deepEqual(created.data, { key: "value" });
      assert.deepEqual(await store.get(one), created);
    },
  },
  {
    name: "create() refuses a name that is taken, in its namespace only",
    async run({ store }) {
      await store.create(configmaps, configMap("one"));
      await rejectsWith(store.create(configmaps, configMap("one")), "AlreadyExists");
      await store.create(configmaps, configMap("one", { metadata: { namespace: "b" } }));
      await store.create(configmaps, configMap("two"));
    },
  },
  {
    name: "create() makes a name from generateName",
    async run({ store }) {
      const given = configMap("", { metadata: { generateName: "web-" } });
      const names = new Set<string>();
      for (let i = 0; i < 3; i++) names.add((await store.create(configmaps, given)).metadata.name);
      assert.equal(names.size, 3);
      for (const name of names) assert.match(name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      await rejectsWith(store.create(configmaps, configMap("")), "BadRequest");
    },
  },
  {
    name: "create() drops status and starts generation at 1 for kinds with status",
    async run({ store }) {
      const given = { ...deployment("web"), status: { replicas: 7 } };
      const created = await store.create(deployments, given);
      assert.equal(created.metadata.generation, 1);
      assert.notEqual(created.status?.replicas, 7);
    },
  },
  {
    name: "create() with dryRun answers but stores nothing",
    async run({ store }) {
      const answer = await store.create(configmaps, configMap("one"), { dryRun: true });
      assert.equal(answer.metadata.name, "one");
      assert.ok(answer.metadata.uid);
      await rejectsWith(store.get(one), "NotFound");
      await store.create(configmaps, configMap("one"));
      await rejectsWith(
        store.create(configmaps, configMap("one"), { dryRun: true }),
        "AlreadyExists",
      );
    },
  },
  {
    name: "create() takes a copy and answers with a frozen object",
    async run({ store }) {
      const given = configMap("one");
      const created = await store.create(configmaps, given);
      given.data.key = "changed";
      assert.equal((await store.get(one)).data.key, "value");
      assert.throws(() => void (created.data.key = "changed"), TypeError);
      assert.throws(() => void (created.metadata.name = "changed"), TypeError);
    },
  },
  {
    name: "get(), update() and delete() say NotFound for what is not there",
    async run({ store }) {
      await rejectsWith(store.get(one), "NotFound");
      await rejectsWith(store.update(one, (current) => current), "NotFound");
      await rejectsWith(store.delete(one), "NotFound");
      await store.create(configmaps, configMap("one"));
      await rejectsWith(store.get(refTo(configmaps, "one", "b")), "NotFound");
    },
  },
  {
    name: "cluster-scoped objects have no namespace",
    async run({ store }) {
      const created = await store.create(nodes, sample(nodes, "n1"));
      assert.equal(created.metadata.namespace, undefined);
      assert.deepEqual(await store.get({ resource: nodes, name: "n1" }), created);
      assert.ok((await store.list(nodes)).items.some(({ metadata }) => metadata.name === "n1"));
    },
  },
  {
    name: "update() stores what the function returns under a newer version",
    async run({ store }) {
      const created = await store.create(configmaps, configMap("one"));
      const updated = await store.update(one, (current) => {
        current.data.key = "new";
        return current;
      });
      assert.equal(updated.data.key, "new");
      assert.equal(updated.metadata.uid, created.metadata.uid);
      assert.ok(versionOf(updated) > versionOf(created));
      assert.deepEqual(await store.get(one), updated);
      assert.equal(created.data.key, "value");
    },
  },
  {
    name: "update() writes nothing when nothing changed",
    async run({ store }) {
      const created = await store.create(
        configmaps,
        configMap("one", { data: { a: "1", b: "2" } }),
      );
      const same = await store.update(one, ({ data: _, ...rest }) => ({
        ...rest,
        data: { b: "2", a: "1" },
      }));
      assert.equal(same.metadata.resourceVersion, created.metadata.resourceVersion);
    },
  },
  {
    name: "update() refuses an object that was read at an older version",
    async run({ store }) {
      const old = await store.create(configmaps, configMap("one"));
      await store.update(one, (current) => ({ ...current, data: { key: "theirs" } }));
      const mine = { ...old, data: { key: "mine" } };
      await rejectsWith(store.update(one, () => mine), "Conflict");
      assert.equal((await store.get(one)).data.key, "theirs");
      const { resourceVersion: _, ...metadata } = mine.metadata;
      await store.update(one, () => ({ ...mine, metadata }));
      assert.equal((await store.get(one)).data.key, "mine");
    },
  },
  {
    name: "update() checks the preconditions",
    async run({ store }) {
      const { metadata } = await store.create(configmaps, configMap("one"));
      const { uid = "", resourceVersion = "" } = metadata;
      const change = (preconditions: { uid?: string; resourceVersion?: string }, value: string) =>
        store.update(one, (current) => ({ ...current, data: { key: value } }), { preconditions });
      await rejectsWith(change({ uid: "another" }, "x"), "Conflict");
      await rejectsWith(change({ resourceVersion: "999999999" }, "x"), "Conflict");
      await change({ uid, resourceVersion }, "y");
      await rejectsWith(change({ uid, resourceVersion }, "z"), "Conflict");
      assert.equal((await store.get(one)).data.key, "y");
    },
  },
  {
    name: "update() from what was seen before loses nothing of what has changed since",
    async run({ store }) {
      const old = await store.create(configmaps, configMap("one", { data: { a: "1" } }));
      const add = (key: string, from: typeof old) =>
        store.update(one, (current) => ({ ...current, data: { ...current.data, [key]: "1" } }), {
          from,
        });
      const second = await add("b", old);
      assert.deepEqual(second.data, { a: "1", b: "1" });
      assert.deepEqual((await add("c", old)).data, { a: "1", b: "1", c: "1" });
      // Nothing to do by what was seen; what is there lacks it.
      await store.update(one, (current) => ({ ...current, data: { c: "1" } }));
      assert.deepEqual((await add("b", second)).data, { b: "1", c: "1" });
      await store.delete(one);
      await rejectsWith(add("d", old), "NotFound");
    },
  },
  {
    name: "update() keeps identity: name, uid and creation time cannot change",
    async run({ store }) {
      const created = await store.create(configmaps, configMap("one"));
      const renamed = (current: typeof created) => ({
        ...current,
        metadata: { ...current.metadata, name: "two" },
      });
      await rejectsWith(store.update(one, renamed), "BadRequest");
      const updated = await store.update(one, (current) => ({
        ...current,
        data: { key: "new" },
        metadata: { name: "one", namespace: "a", creationTimestamp: "1999-01-01T00:00:00Z" },
      }));
      assert.equal(updated.metadata.uid, created.metadata.uid);
      assert.equal(updated.metadata.creationTimestamp, created.metadata.creationTimestamp);
    },
  },
  {
    name: "update() of the object leaves status alone, of the status leaves all else alone",
    async run({ store }) {
      const ref = refTo(deployments, "web");
      await store.create(deployments, deployment("web"));
      const scaled = await store.update(ref, (current) => {
        current.spec.replicas = 3;
        current.status = { replicas: 9 };
        return current;
      });
      assert.equal(scaled.spec.replicas, 3);
      assert.notEqual(scaled.status?.replicas, 9);
      assert.equal(scaled.metadata.generation, 2);
      const seen = await store.update(ref, (current) => {
        current.spec.replicas = 5;
        current.status = { ...current.status, replicas: 3 };
        return current;
      }, { subresource: "status" });
      assert.equal(seen.spec.replicas, 3);
      assert.equal(seen.status?.replicas, 3);
      assert.equal(seen.metadata.generation, 2);
      const labelled = await store.update(ref, (current) => {
        current.metadata.labels = { x: "y" };
        return current;
      });
      assert.equal(labelled.metadata.generation, 2);
      assert.equal(labelled.status?.replicas, 3);
    },
  },
  {
    name: "update() with dryRun answers but stores nothing",
    async run({ store }) {
      const created = await store.create(configmaps, configMap("one"));
      const change = (current: typeof created) => ({ ...current, data: { key: "new" } });
      const answer = await store.update(one, change, { dryRun: true });
      assert.equal(answer.data.key, "new");
      assert.deepEqual(await store.get(one), created);
    },
  },
  {
    name: "update() passes on what the function throws and stores nothing",
    async run({ store }) {
      const created = await store.create(configmaps, configMap("one"));
      const failing = store.update(one, () => {
        throw new RangeError("no");
      });
      await assert.rejects(failing, RangeError);
      assert.deepEqual(await store.get(one), created);
    },
  },
  {
    name: "many updates at once lose nothing",
    async run({ store }) {
      await store.create(configmaps, configMap("one", { data: { count: "0" } }));
      await Promise.all(Array.from({ length: 8 }, () =>
        store.update(one, (current) => {
          current.data.count = String(Number(current.data.count) + 1);
          return current;
        })));
      assert.equal((await store.get(one)).data.count, "8");
    },
  },
  {
    name: "epoch() stays the same",
    async run({ store }) {
      const epoch = await store.epoch();
      assert.ok(epoch.length > 0);
      await store.create(configmaps, configMap("one"));
      assert.equal(await store.epoch(), epoch);
    },
  },
];

function versionOf(object: { metadata: { resourceVersion?: string } }): bigint {
  return BigInt(object.metadata.resourceVersion ?? "-1");
}
