import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { StoreCase } from "./store.ts";
import { configMap, pod, refTo, rejectsWith, WatchReader } from "./store_helpers.ts";

const { configmaps, pods, secrets } = RESOURCES;
const one = refTo(configmaps, "one");
/** Leaves out what an API server itself keeps in every namespace. */
const OURS = { namespace: "a", fieldSelector: "metadata.name!=kube-root-ca.crt" };

/** Watches: from the start, from a version, through selections, and their ends. */
export const watchCases: readonly StoreCase[] = [
  {
    name: "watch() tells what exists, the end of that, then what changes",
    async run({ store }) {
      await store.create(configmaps, configMap("one"));
      await store.create(configmaps, configMap("two"));
      using watch = await store.watch(configmaps, OURS);
      const reader = new WatchReader(watch);
      assert.deepEqual(await reader.changes(2), ["ADDED one", "ADDED two"]);
      const mark = await reader.next();
      assert.ok(mark.type === "BOOKMARK" && mark.initialEnd);
      await store.create(configmaps, configMap("three"));
      await store.update(one, (current) => ({ ...current, data: {} }));
      await store.delete(one);
      assert.deepEqual(await reader.changes(3), ["ADDED three", "MODIFIED one", "DELETED one"]);
    },
  },
  {
    name: "watch() of nothing tells the end of what exists at once",
    async run({ store }) {
      using watch = await store.watch(configmaps, OURS);
      const mark = await new WatchReader(watch).next();
      assert.ok(mark.type === "BOOKMARK" && mark.initialEnd);
    },
  },
  {
    name: "watch() from a list's version misses nothing and repeats nothing",
    async run({ store }) {
      await store.create(configmaps, configMap("one"));
      const { resourceVersion } = await store.list(configmaps, OURS);
      const updated = await store.update(one, (current) => ({ ...current, data: { n: "1" } }));
      await store.delete(one);
      await store.create(configmaps, configMap("one"));
      using watch = await store.watch(configmaps, { ...OURS, resourceVersion });
      await store.create(configmaps, configMap("two"));
      const reader = new WatchReader(watch);
      const first = await reader.change();
      assert.equal(first.type, "MODIFIED");
      assert.deepEqual(first.object, updated);
      assert.equal(first.resourceVersion, updated.metadata.resourceVersion);
      const gone = await reader.change();
      assert.equal(gone.type, "DELETED");
      assert.deepEqual(gone.object.data, { n: "1" });
      assert.equal(gone.object.metadata.resourceVersion, gone.resourceVersion);
      assert.ok(BigInt(gone.resourceVersion) > BigInt(first.resourceVersion));
      assert.deepEqual(await reader.changes(2), ["ADDED one", "ADDED two"]);
    },
  },
  {
    name: "watch() tells only of its resource and its namespace, and nothing of dry runs",
    async run({ store }) {
      const { resourceVersion } = await store.list(configmaps, OURS);
      using watch = await store.watch(configmaps, { ...OURS, resourceVersion });
      await store.create(secrets, { ...configMap("one"), kind: "Secret", data: {} });
      await store.create(configmaps, configMap("one", { metadata: { namespace: "b" } }));
      await store.create(configmaps, configMap("dry"), { dryRun: true });
      await store.create(configmaps, configMap("one"));
      await store.update(one, (current) => current);
      await store.update(one, (current) => ({ ...current, data: {} }), { dryRun: true });
      await store.delete(one, { dryRun: true });
      await store.create(configmaps, configMap("two"));
      assert.deepEqual(await new WatchReader(watch).changes(2), ["ADDED one", "ADDED two"]);
    },
  },
  {
    name: "watch() turns entering and leaving the selection into ADDED and DELETED, live",
    async run({ store }) {
      using watch = await store.watch(configmaps, { ...OURS, labelSelector: "on=yes" });
      const reader = new WatchReader(watch);
      assert.equal((await reader.next()).type, "BOOKMARK");
      await moveThrough(store);
      await assertMoves(reader);
    },
  },
  {
    name: "watch() turns entering and leaving the selection into ADDED and DELETED, resumed",
    async run({ store }) {
      const { resourceVersion } = await store.list(configmaps, OURS);
      await moveThrough(store);
      using watch = await store.watch(configmaps, {
        ...OURS,
        labelSelector: "on=yes",
        resourceVersion,
      });
      await assertMoves(new WatchReader(watch));
    },
  },
  {
    name: "watch() by a field sees a pod when it is bound",
    async run({ store }) {
      using watch = await store.watch(pods, { fieldSelector: "spec.nodeName=n1" });
      const reader = new WatchReader(watch);
      assert.equal((await reader.next()).type, "BOOKMARK");
      const other = await store.create(pods, pod("other", "n2"));
      assert.ok(other);
      await store.create(pods, pod("web", "n1"));
      await store.delete(refTo(pods, "web"));
      assert.deepEqual(await reader.changes(2), ["ADDED web", "MODIFIED web"]);
    },
  },
  {
    name: "watch() tells of a held object's deletion as a change, then as its end",
    async run({ store }) {
      await store.create(configmaps, configMap("one", { metadata: { finalizers: ["a.b/c"] } }));
      const { resourceVersion } = await store.list(configmaps, OURS);
      using watch = await store.watch(configmaps, { ...OURS, resourceVersion });
      await store.delete(one);
      await store.update(one, (current) => {
        current.metadata.finalizers = [];
        return current;
      });
      assert.deepEqual(await new WatchReader(watch).changes(2), ["MODIFIED one", "DELETED one"]);
    },
  },
  {
    name: "watch() ends at once for a parked reader when it is aborted",
    async run({ store }) {
      const watch = await store.watch(configmaps, OURS);
      const reader = new WatchReader(watch);
      await reader.next();
      const parked = reader.ended();
      watch.abort();
      await parked;
      watch.abort();
      await reader.ended();
    },
  },
  {
    name: "watch() ends when its loop is left",
    async run({ store }) {
      await store.create(configmaps, configMap("one"));
      const watch = await store.watch(configmaps, OURS);
      for await (const event of watch) {
        assert.equal(event.type, "ADDED");
        break;
      }
      await new WatchReader(watch).ended();
    },
  },
  {
    name: "watch() cuts a reader that lets its buffer overflow",
    async run({ store }) {
      using watch = await store.watch(configmaps, { ...OURS, buffer: 3 });
      const reader = new WatchReader(watch);
      await reader.next();
      // Only a reader that has been waiting is surely up to date, and no longer reads the log.
      const parked = reader.change();
      await store.create(configmaps, configMap("zero"));
      await parked;
      for (let i = 0; i < 12; i++) await store.create(configmaps, configMap(`c${i}`));
      await reader.fails("Expired");
      await reader.ended();
    },
  },
  {
    name: "watch() of many readers gives each of them everything",
    async run({ store }) {
      const watches = await Promise.all([1, 2, 3].map(() => store.watch(configmaps, OURS)));
      for (let i = 0; i < 5; i++) await store.create(configmaps, configMap(`c${i}`));
      const expected = [0, 1, 2, 3, 4].map((i) => `ADDED c${i}`);
      for (const watch of watches) {
        assert.deepEqual(await new WatchReader(watch).changes(5), expected);
        watch.abort();
      }
    },
  },
  {
    name: "watch() refuses selectors and versions that it cannot read",
    async run({ store }) {
      await rejectsWith(store.watch(configmaps, { labelSelector: "a in b" }), "BadRequest");
      await rejectsWith(store.watch(configmaps, { resourceVersion: "rubbish" }), "BadRequest");
    },
  },
];

async function moveThrough(store: Store): Promise<void> {
  const label = (on: string, n: string) =>
    store.update(one, (current) => {
      current.metadata.labels = { on };
      current.data = { n };
      return current;
    });
  await store.create(configmaps, configMap("one", { data: { n: "0" } }));
  await label("yes", "1");
  await label("yes", "2");
  await label("no", "3");
  await label("no", "4");
  await label("yes", "5");
  await store.delete(one);
  await store.create(configmaps, configMap("last", { metadata: { labels: { on: "yes" } } }));
}

async function assertMoves(reader: WatchReader): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const { type, object, resourceVersion } = await reader.change();
    seen.push(`${type} ${object.metadata.name} ${object.data.n ?? ""}`.trim());
    assert.equal(object.metadata.resourceVersion, resourceVersion);
  }
  assert.deepEqual(seen, [
    "ADDED one 1",
    "MODIFIED one 2",
    "DELETED one 2",
    "ADDED one 5",
    "DELETED one 5",
    "ADDED last",
  ]);
}
