import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../base/mod.ts";
import { jsonEqual, jsonMergeDiff, jsonMergePatch, jsonPatch, strategicMergePatch } from "./mod.ts";
import type { Json } from "./json_value.ts";

const key = fc.oneof(fc.constantFrom("a", "b", "c", "name", "constructor", "~/"), fc.string());
const value: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(1, 2, "x", true),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(key.filter((one) => one !== "__proto__"), tie("json"), { maxKeys: 4 }),
  ),
})).json;
const map = fc.dictionary(key.filter((one) => one !== "__proto__"), value, { maxKeys: 5 });

Deno.test("jsonMergePatch() turns any object into any other by their jsonMergeDiff()", () => {
  fc.assert(fc.property(map, map, (from, to) => {
    const before = structuredClone(from);
    const patch = jsonMergeDiff(from, to);
    assert.equal(patch === undefined, jsonEqual(from, to));
    assert.ok(jsonEqual(jsonMergePatch(from, patch ?? {}) as Json, to));
    assert.ok(jsonEqual(from, before), "the argument must stay as it is");
  }));
});

Deno.test("jsonMergeDiff() holds only what differs", () => {
  const from = { a: { b: 1, c: [1, 2], d: "x" }, e: { f: 1 }, g: true };
  const to = { a: { b: 1, c: [1], d: "x" }, g: true, h: {} };
  assert.deepEqual(jsonMergeDiff(from, to), { a: { c: [1] }, e: null, h: {} });
});

Deno.test.each([
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [["a"], { b: 1 }, { b: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])("jsonMergePatch() follows RFC 7386 appendix A: %j + %j", (target, patch, want) => {
  assert.deepEqual(jsonMergePatch(target, patch), want);
});

Deno.test("jsonPatch() replaces the whole document and leaves its argument alone", () => {
  fc.assert(fc.property(value, value, (from, to) => {
    const before = structuredClone(from);
    const out = jsonPatch(from, [{ op: "test", path: "", value: from }, {
      op: "replace",
      path: "",
      value: to,
    }]);
    assert.ok(jsonEqual(out as Json, to));
    assert.ok(jsonEqual(from, before));
  }));
});

Deno.test("jsonPatch() undoes an add by a remove at the same place", () => {
  fc.assert(
    fc.property(map, key.filter((one) => one !== "__proto__"), value, (from, name, more) => {
      fc.pre(!Object.hasOwn(from, name));
      const path = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const out = jsonPatch(from, [{ op: "add", path, value: more }, { op: "remove", path }]);
      assert.ok(jsonEqual(out as Json, from));
    }),
  );
});

Deno.test.each([
  [{ l: [1, 3] }, [{ op: "add", path: "/l/1", value: 2 }], { l: [1, 2, 3] }],
  [{ l: [1] }, [{ op: "add", path: "/l/-", value: 2 }], { l: [1, 2] }],
  [{ a: 1, b: 2 }, [{ op: "move", from: "/a", path: "/c" }], { b: 2, c: 1 }],
  [{ a: { x: 1 } }, [{ op: "copy", from: "/a", path: "/b" }], { a: { x: 1 }, b: { x: 1 } }],
  [{ "a/b": 1, "m~n": 2 }, [{ op: "remove", path: "/a~1b" }, {
    op: "replace",
    path: "/m~0n",
    value: 3,
  }], { "m~n": 3 }],
])("jsonPatch() follows RFC 6902: %j with %j", (document, operations, want) => {
  assert.deepEqual(jsonPatch(document, operations), want);
});

Deno.test.each<[unknown, string]>([
  ["nothing", "BadRequest"],
  [[{ op: "add" }], "BadRequest"],
  [[{ op: "jump", path: "/a" }], "BadRequest"],
  [[{ op: "remove", path: "/none" }], "Invalid"],
  [[{ op: "replace", path: "/none", value: 1 }], "Invalid"],
  [[{ op: "test", path: "/a", value: 2 }], "Invalid"],
  [[{ op: "add", path: "/l/9", value: 1 }], "Invalid"],
  [[{ op: "add", path: "/l/01", value: 1 }], "Invalid"],
  [[{ op: "move", from: "/m", path: "/m/x" }], "Invalid"],
  [[{ op: "add", path: "/__proto__", value: {} }], "BadRequest"],
  [[{ op: "add", path: "/constructor/x", value: 1 }], "Invalid"],
])("jsonPatch() refuses %j as %s", (operations, code) => {
  const document = { a: 1, l: [1], m: {} };
  assert.throws(() => jsonPatch(document, operations), (error: AppError) => error.code === code);
});

const pod = (containers: unknown[], more: object = {}): unknown => ({
  kind: "Pod",
  metadata: { name: "p" },
  spec: { containers, ...more },
});

Deno.test("strategicMergePatch() merges containers and their lists by their keys", () => {
  const before = pod([
    { name: "a", image: "a:1", env: [{ name: "X", value: "1" }], ports: [{ containerPort: 80 }] },
    { name: "b", image: "b:1" },
  ]);
  const patch = {
    spec: {
      containers: [
        {
          name: "a",
          image: "a:2",
          env: [{ name: "Y", value: "2" }, { name: "X", $patch: "delete" }],
        },
        { name: "c", image: "c:1" },
      ],
    },
  };
  assert.deepEqual(
    strategicMergePatch(before, patch, "Pod"),
    pod([
      { name: "a", image: "a:2", env: [{ name: "Y", value: "2" }], ports: [{ containerPort: 80 }] },
      { name: "b", image: "b:1" },
      { name: "c", image: "c:1" },
    ]),
  );
});

Deno.test("strategicMergePatch() obeys $setElementOrder, $retainKeys, $patch and $deleteFromPrimitiveList", () => {
  const order = { spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] } };
  const before = pod([{ name: "a" }, { name: "b" }, { name: "server-made" }]);
  assert.deepEqual(
    strategicMergePatch(before, order, "Pod"),
    pod([{ name: "b" }, { name: "a" }, { name: "server-made" }]),
  );
  const deployment = {
    kind: "Deployment",
    metadata: { finalizers: ["x/a", "x/b"] },
    spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } },
  };
  const patch = {
    metadata: { "$deleteFromPrimitiveList/finalizers": ["x/a"], finalizers: ["x/c"] },
    spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } },
  };
  assert.deepEqual(strategicMergePatch(deployment, patch, "Deployment"), {
    kind: "Deployment",
    metadata: { finalizers: ["x/b", "x/c"] },
    spec: { strategy: { type: "Recreate" } },
  });
  const replaced = strategicMergePatch(
    pod([{ name: "a" }]),
    { spec: { containers: [{ $patch: "replace" }, { name: "z" }] } },
    "Pod",
  );
  assert.deepEqual(replaced, pod([{ name: "z" }]));
});

Deno.test("strategicMergePatch() replaces lists without a merge key and refuses items without one", () => {
  const before = pod([], { tolerations: [{ key: "a" }] });
  const out = strategicMergePatch(before, { spec: { tolerations: [{ key: "b" }] } }, "Pod");
  assert.deepEqual(out, pod([], { tolerations: [{ key: "b" }] }));
  assert.throws(
    () => strategicMergePatch(before, { spec: { containers: [{ image: "x" }] } }, "Pod"),
    /does not contain declared merge key: name/,
  );
});

Deno.test("strategicMergePatch() does the same as a merge patch where no list is merged", () => {
  const plain = fc.dictionary(fc.constantFrom("a", "b", "c"), value, { maxKeys: 3 });
  fc.assert(fc.property(plain, plain, (target, patch) => {
    const merged = strategicMergePatch({ data: target }, { data: patch }, "ConfigMap");
    assert.ok(jsonEqual(merged as Json, jsonMergePatch({ data: target }, { data: patch }) as Json));
  }));
});

Deno.test("strategicMergePatch() gives the same when it is applied twice", () => {
  const container = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    image: fc.constantFrom("1", "2"),
  });
  const list = fc.uniqueArray(container, { selector: (one) => one.name });
  fc.assert(fc.property(list, list, (have, want) => {
    const patch = { spec: { containers: want } };
    const once = strategicMergePatch(pod(have), patch, "Pod");
    assert.deepEqual(strategicMergePatch(once, patch, "Pod"), once);
  }));
});

Deno.test("the patch functions fail only with an AppError, whatever they are given", () => {
  fc.assert(fc.property(fc.anything(), fc.anything(), (target, patch) => {
    const json = (one: unknown): unknown => JSON.parse(JSON.stringify(one ?? null) ?? "null");
    let [a, b]: unknown[] = [];
    try {
      [a, b] = [json(target), json(patch)];
    } catch {
      return;
    }
    for (
      const run of [
        () => jsonPatch(a, b),
        () => jsonMergePatch(a, b),
        () => strategicMergePatch(a, b, "Pod"),
      ]
    ) {
      try {
        run();
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
      }
    }
  }));
});
