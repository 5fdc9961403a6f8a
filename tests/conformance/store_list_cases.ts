import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import type { ListOptions, ListResult, Store } from "../../core/store/mod.ts";
import type { StoreCase } from "./store.ts";
import { configMap, pod, refTo, rejectsWith } from "./store_helpers.ts";

const { configmaps, pods } = RESOURCES;

/** Lists, selectors and pages. */
export const listCases: readonly StoreCase[] = [
  {
    name: "list() sorts by namespace, then name, and keeps to the namespace asked for",
    async run({ store }) {
      await fill(store);
      const inBoth = await store.list(configmaps, { labelSelector: "all" });
      assert.deepEqual(keys(inBoth), ["a/four", "a/one", "a/three", "b/one", "b/two"]);
      const inB = await store.list(configmaps, { namespace: "b", labelSelector: "all" });
      assert.deepEqual(keys(inB), ["b/one", "b/two"]);
      assert.deepEqual(keys(await store.list(configmaps, { namespace: "missing" })), []);
    },
  },
  {
    name: "list() selects by labels and by fields",
    async run({ store }) {
      await fill(store);
      const table: [ListOptions, string[]][] = [
        [{ labelSelector: "tier=x" }, ["a/one", "b/one"]],
        [{ labelSelector: "tier in (x,y),all" }, ["a/one", "a/three", "b/one", "b/two"]],
        [{ labelSelector: "!tier,all" }, ["a/four"]],
        [{ fieldSelector: "metadata.name=one", labelSelector: "all" }, ["a/one", "b/one"]],
        [{ fieldSelector: "metadata.name!=one", labelSelector: "all", namespace: "b" }, ["b/two"]],
      ];
      for (const [options, expected] of table) {
        assert.deepEqual(keys(await store.list(configmaps, options)), expected);
      }
      await store.create(pods, pod("here", "n1"));
      await store.create(pods, pod("there", "n2"));
      await store.create(pods, pod("nowhere"));
      const here = await store.list(pods, { fieldSelector: "spec.nodeName=n1" });
      assert.deepEqual(keys(here), ["a/here"]);
      const unbound = await store.list(pods, { fieldSelector: "spec.nodeName=" });
      assert.deepEqual(keys(unbound), ["a/nowhere"]);
    },
  },
  {
    name: "list() refuses selectors, limits and tokens that it cannot read",
    async run({ store }) {
      await rejectsWith(store.list(configmaps, { labelSelector: "a in b" }), "BadRequest");
      await rejectsWith(store.list(configmaps, { fieldSelector: "a>b" }), "BadRequest");
      await rejectsWith(store.list(configmaps, { limit: 1, continue: "rubbish" }), "BadRequest");
    },
  },
  {
    name: "list() pages all show the state of the first page",
    async run({ store }) {
      await fill(store);
      const before = await store.list(configmaps, { namespace: "a" });
      let page = await store.list(configmaps, { namespace: "a", limit: 1 });
      const found = [...page.items];
      assert.equal(page.items.length, 1);
      await store.delete(refTo(configmaps, "three"));
      await store.create(configmaps, configMap("five"));
      await store.update(
        refTo(configmaps, "one"),
        (current) => ({ ...current, data: { key: "later" } }),
      );
      await store.delete(refTo(configmaps, "four"));
      await store.create(configmaps, configMap("three"));
      while (page.continue) {
        page = await store.list(configmaps, { namespace: "a", limit: 1, continue: page.continue });
        assert.equal(page.items.length, 1);
        found.push(...page.items);
      }
      assert.deepEqual(found, before.items);
      assert.equal(page.resourceVersion, before.resourceVersion);
    },
  },
  {
    name: "list() pages count what remains and end with a selector too",
    async run({ store }) {
      await fill(store);
      const all = (await store.list(configmaps, { namespace: "a" })).items.length;
      const first = await store.list(configmaps, { namespace: "a", limit: 2 });
      assert.equal(first.remainingItemCount, all - 2);
      const exact = await store.list(configmaps, { namespace: "a", limit: all });
      assert.equal(exact.continue, undefined);
      assert.equal(exact.remainingItemCount, undefined);
      const options = { labelSelector: "tier in (x,y)", limit: 2 };
      let page = await store.list(configmaps, options);
      const found = [...keys(page)];
      assert.equal(page.remainingItemCount, undefined);
      while (page.continue) {
        page = await store.list(configmaps, { ...options, continue: page.continue });
        found.push(...keys(page));
      }
      assert.deepEqual(found, ["a/one", "a/three", "b/one", "b/two"]);
    },
  },
];

async function fill(store: Store): Promise<void> {
  const table: [string, string, string?][] = [
    ["a", "one", "x"],
    ["b", "one", "x"],
    ["a", "three", "y"],
    ["b", "two", "y"],
    ["a", "four"],
  ];
  for (const [namespace, name, tier] of table) {
    const labels = { all: "", ...(tier === undefined ? {} : { tier }) };
    await store.create(configmaps, configMap(name, { metadata: { namespace, labels } }));
  }
}

function keys({ items }: ListResult): string[] {
  return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}
