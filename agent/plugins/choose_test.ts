import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { choiceOf, choose, podWants } from "./choose.ts";
import { Inventory } from "./inventory.ts";
import { minutes, ms } from "../../core/base/mod.ts";

const NONE: ReadonlySet<string> = new Set();
const healthy = new Set(["d", "c", "b", "a"]);

function choice(input: Partial<Parameters<typeof choiceOf>[1]>): string[] {
  return choose(choiceOf("example.com/x", { count: 1, healthy, used: NONE, lent: NONE, ...input }));
}

Deno.test.each<[string, Partial<Parameters<typeof choiceOf>[1]>, string[]]>([
  ["the first that are free", { count: 2 }, ["a", "b"]],
  ["none that others have", { count: 2, used: new Set(["a", "c"]) }, ["b", "d"]],
  ["lent ones first", { count: 2, used: new Set(["d"]), lent: new Set(["d"]) }, ["d", "a"]],
  ["as many lent ones as it needs", { lent: new Set(["d", "c"]) }, ["c"]],
])("choose() takes %s", (_, input, want) => assert.deepEqual(choice(input), want));

Deno.test.each<[string, Partial<Parameters<typeof choiceOf>[1]>, RegExp]>([
  ["too many", { count: 5 }, /unavailable for example.com\/x. Requested: 5, Available: 4/],
  ["others' devices", { used: healthy }, /Requested: 1, Available: 0/],
  ["what is sick", { healthy: NONE }, /no healthy devices present/],
  ["a part of a device", { count: 0.5 }, /Requested: 0.5/],
])("choiceOf() refuses %s", (_, input, want) => assert.throws(() => choice(input), want));

Deno.test("choose() follows a preference as far as it can be had", () => {
  const from = choiceOf("example.com/x", { count: 2, healthy, used: new Set(["d"]), lent: NONE });
  assert.deepEqual(choose(from, ["d", "nothing", "c"]), ["c", "a"]);
  assert.deepEqual(choose(from, ["c", "c", "b", "a"]), ["c", "b"]);
});

Deno.test("podWants() knows extended resources and which containers lend their devices", () => {
  const container = (name: string, limits: Record<string, string>, rest = {}) => ({
    name,
    image: "i",
    resources: { limits },
    ...rest,
  });
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: {
      initContainers: [
        container("init", { "example.com/x": "2" }),
        container("side", { "example.com/x": "1" }, { restartPolicy: "Always" }),
      ],
      containers: [
        container("main", { "example.com/x": "1", cpu: "1", "hugepages-2Mi": "4Mi" }),
        container("plain", { memory: "1Gi", "kubernetes.io/y": "1", "example.com/zero": "0" }),
      ],
    },
  };
  const seen = podWants(pod).map(({ container, wants, lends }) => [container, [...wants], lends]);
  assert.deepEqual(seen, [
    ["init", [["example.com/x", 2]], true],
    ["side", [["example.com/x", 1]], false],
    ["main", [["example.com/x", 1]], false],
  ]);
});

Deno.test("Inventory: what is sick or gone is capacity only, and nothing after five minutes", () => {
  const inventory = new Inventory();
  const now = ms(1000);
  assert.deepEqual(inventory.resources(now), { capacity: {}, allocatable: {} });
  assert.equal(inventory.healthy("r/x"), undefined);
  inventory.list("r/x", [{ id: "a", healthy: true }, { id: "b", healthy: false }]);
  assert.deepEqual(inventory.resources(now), {
    capacity: { "r/x": 2 },
    allocatable: { "r/x": 1 },
  });
  assert.deepEqual([...inventory.healthy("r/x") ?? []], ["a"]);
  inventory.leave("r/x", now);
  assert.equal(inventory.healthy("r/x"), undefined);
  assert.deepEqual(inventory.resources(now), {
    capacity: { "r/x": 2 },
    allocatable: { "r/x": 0 },
  });
  const later = ms(now + minutes(5));
  assert.deepEqual(inventory.resources(later).capacity, { "r/x": 0 });
  inventory.list("r/x", [{ id: "a", healthy: true }]);
  assert.deepEqual(inventory.resources(later).allocatable, { "r/x": 1 });
});
