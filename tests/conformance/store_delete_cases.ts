import assert from "node:assert/strict";
import { fromTime } from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import type { StoreCase } from "./store.ts";
import { configMap, pod, refTo, rejectsWith } from "./store_helpers.ts";

const { configmaps, pods } = RESOURCES;
const one = refTo(configmaps, "one");
const web = refTo(pods, "web");
const HOLD = "example.com/hold";

/** Deleting: at once, held by finalizers, with grace. */
export const deleteCases: readonly StoreCase[] = [
  {
    name: "delete() removes at once what nothing holds, and the name is free again",
    async run({ store }) {
      const first = await store.create(configmaps, configMap("one"));
      const gone = await store.delete(one);
      assert.equal(gone.metadata.uid, first.metadata.uid);
      await rejectsWith(store.get(one), "NotFound");
      const second = await store.create(configmaps, configMap("one"));
      assert.notEqual(second.metadata.uid, first.metadata.uid);
    },
  },
  {
    name: "delete() checks the preconditions",
    async run({ store }) {
      const { metadata } = await store.create(configmaps, configMap("one"));
      const { uid = "", resourceVersion = "" } = metadata;
      await rejectsWith(store.delete(one, { preconditions: { uid: "another" } }), "Conflict");
      await store.update(one, (current) => ({ ...current, data: {} }));
      await rejectsWith(store.delete(one, { preconditions: { uid, resourceVersion } }), "Conflict");
      await store.delete(one, { preconditions: { uid } });
      await rejectsWith(store.get(one), "NotFound");
    },
  },
  {
    name: "delete() with dryRun removes nothing",
    async run({ store }) {
      const created = await store.create(configmaps, configMap("one"));
      await store.delete(one, { dryRun: true });
      assert.deepEqual(await store.get(one), created);
    },
  },
  {
    name: "delete() only marks what finalizers hold; the last one to go removes it",
    async run({ store }) {
      await store.create(
        configmaps,
        configMap("one", { metadata: { finalizers: [HOLD, `${HOLD}2`] } }),
      );
      const marked = await store.delete(one);
      assert.ok(marked.metadata.deletionTimestamp);
      const again = await store.delete(one);
      assert.equal(again.metadata.resourceVersion, marked.metadata.resourceVersion);
      await rejectsWith(
        store.update(one, (current) => {
          current.metadata.finalizers?.push("example.com/late");
          return current;
        }),
        "Invalid",
      );
      await store.update(one, (current) => {
        current.metadata.finalizers = [HOLD];
        delete current.metadata.deletionTimestamp;
        return current;
      });
      assert.equal(
        (await store.get(one)).metadata.deletionTimestamp,
        marked.metadata.deletionTimestamp,
      );
      await store.update(one, (current) => {
        delete current.metadata.finalizers;
        return current;
      });
      await rejectsWith(store.get(one), "NotFound");
    },
  },
  {
    name: "delete() with a propagation policy leaves Kubernetes' finalizers",
    async run({ store }) {
      for (
        const [policy, finalizer] of [["Foreground", "foregroundDeletion"], [
          "Orphan",
          "orphan",
        ]] as const
      ) {
        const ref = refTo(configmaps, policy.toLowerCase());
        await store.create(configmaps, configMap(ref.name));
        const marked = await store.delete(ref, { propagationPolicy: policy });
        assert.deepEqual(marked.metadata.finalizers, [finalizer]);
        assert.ok(marked.metadata.deletionTimestamp);
        await store.update(ref, (current) => {
          current.metadata.finalizers = [];
          return current;
        });
        await rejectsWith(store.get(ref), "NotFound");
      }
      await store.create(configmaps, configMap("one"));
      await store.delete(one, { propagationPolicy: "Background" });
      await rejectsWith(store.get(one), "NotFound");
    },
  },
  {
    name: "delete() of a pod without a node removes it at once",
    async run({ store }) {
      await store.create(pods, pod("web"));
      await store.delete(web);
      await rejectsWith(store.get(web), "NotFound");
    },
  },
  {
    name: "delete() of a bound pod gives it its grace, until a delete with 0",
    async run({ store, clock }) {
      await store.create(pods, pod("web", "n1", 20));
      const marked = await store.delete(web);
      assert.equal(marked.metadata.deletionGracePeriodSeconds, 20);
      const at = fromTime(marked.metadata.deletionTimestamp) ?? 0;
      if (clock) assert.equal(at, clock.now() + 20_000);
      const longer = await store.delete(web, { gracePeriodSeconds: 60 });
      assert.deepEqual(longer, marked);
      const shorter = await store.delete(web, { gracePeriodSeconds: 5 });
      assert.equal(shorter.metadata.deletionGracePeriodSeconds, 5);
      assert.equal(fromTime(shorter.metadata.deletionTimestamp), at - 15_000);
      await store.update(web, (current) => {
        current.status = { ...current.status, phase: "Failed" };
        return current;
      }, { subresource: "status" });
      assert.ok(await store.get(web));
      const uid = marked.metadata.uid ?? "";
      await store.delete(web, { gracePeriodSeconds: 0, preconditions: { uid } });
      await rejectsWith(store.get(web), "NotFound");
    },
  },
  {
    name: "delete() takes the grace from the request before the pod's own",
    async run({ store }) {
      await store.create(pods, pod("web", "n1"));
      const marked = await store.delete(web, { gracePeriodSeconds: 3 });
      assert.equal(marked.metadata.deletionGracePeriodSeconds, 3);
      await store.delete(web, { gracePeriodSeconds: 0 });
      await rejectsWith(store.get(web), "NotFound");
    },
  },
  {
    name: "delete() keeps a bound pod with finalizers until both grace and finalizers are over",
    async run({ store }) {
      const held = pod("web", "n1");
      held.metadata.finalizers = [HOLD];
      await store.create(pods, held);
      await store.delete(web);
      await store.delete(web, { gracePeriodSeconds: 0 });
      assert.equal((await store.get(web)).metadata.deletionGracePeriodSeconds, 0);
      await store.update(web, (current) => {
        current.metadata.finalizers = [];
        return current;
      });
      await rejectsWith(store.get(web), "NotFound");
    },
  },
  {
    name: "delete() refuses a negative grace",
    async run({ store }) {
      await store.create(pods, pod("web", "n1"));
      await rejectsWith(store.delete(web, { gracePeriodSeconds: -1 }), "BadRequest");
      await store.get(web);
    },
  },
];
