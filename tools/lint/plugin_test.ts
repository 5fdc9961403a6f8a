import assert from "node:assert/strict";
import plugin from "./plugin.ts";

/** One case: the file, its source, and the rules (without `skerry/`) that must fire, in order. */
type Case = [name: string, path: string, source: string, rules: string[]];

function fired(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map(({ id }) => id.replace("skerry/", ""));
}

const CASES: readonly Case[] = [
  ["core may not import a side", "core/sync/a.ts", `import "../../agent/pods/mod.ts";`, ["sides"]],
  ["core may import core", "core/sync/a.ts", `import "../store/mod.ts";`, []],
  ["agent may not import cloud", "agent/pods/a.ts", `import "../../cloud/hub/mod.ts";`, ["sides"]],
  ["a type import is an import", "agent/a.ts", `import type { A } from "../cloud/mod.ts";`, [
    "sides",
  ]],
  ["import() in a type is an import", "agent/a.ts", `type A = import("../cloud/mod.ts").A;`, [
    "sides",
  ]],
  ["a dynamic import is an import", "cloud/a.ts", `await import("../runner/mod.ts");`, ["sides"]],
  ["a re-export is an import", "cli/a.ts", `export * from "../agent/mod.ts";`, ["sides"]],
  ["a named re-export is one", "cli/a.ts", `export { a } from "../cloud/mod.ts";`, ["sides"]],
  ["cli may import core", "cli/up.ts", `import "../core/base/mod.ts";`, []],
  ["what ships imports no tool", "cli/up.ts", `import "../tools/kubectl.ts";`, ["sides"]],
  ["a test may use tools", "cli/up_test.ts", `import "../tools/kubectl.ts";`, []],
  ["a test keeps its side", "agent/pods/a_test.ts", `import "../../cloud/x/mod.ts";`, ["sides"]],
  ["tests/ may import every side", "tests/sim/a.ts", `import "../../cloud/hub.ts";`, []],

  ["a room has one door", "agent/pods/a.ts", `import "../../core/store/local.ts";`, ["doors"]],
  ["the door is open", "agent/pods/a.ts", `import "../../core/store/mod.ts";`, []],
  ["a sub-room has its own door", "agent/pods/a.ts", `import "../runtimes/cri/mod.ts";`, []],
  ["a room is open to itself", "core/http/verbs/a.ts", `import "../status.ts";`, []],
  ["a neighbour room has a door too", "agent/pods/a.ts", `import "../node/status.ts";`, ["doors"]],
  ["main.ts enters by doors too", "agent/main.ts", `import "./pods/decide.ts";`, ["doors"]],
  ["the side's own top files are no room", "agent/pods/a.ts", `import "../config.ts";`, []],
  ["runner is one room", "runner/engine/a.ts", `import "../pool/pool.ts";`, []],
  ["a test may look inside", "agent/pods/a_test.ts", `import "../../core/store/local.ts";`, []],
  ["a bench may look inside", "bench/watch.ts", `import "../core/store/local.ts";`, []],

  ["node:sqlite has its place", "core/store/sqlite_watch.ts", `import "node:sqlite";`, []],
  ["and no other", "core/store/local.ts", `import "node:sqlite";`, ["guarded-imports"]],
  ["not in tests either", "tests/sim/a.ts", `import "node:sqlite";`, ["guarded-imports"]],
  ["ws has its place", "core/link/ws_server.ts", `import { WebSocket } from "ws";`, []],
  ["and no other", "cloud/nodes/a.ts", `import { WebSocket } from "ws";`, ["guarded-imports"]],
  ["client-node has its place", "cloud/upstream/a.ts", `import "@kubernetes/client-node";`, []],
  ["and no other", "cloud/hub/a.ts", `import "@kubernetes/client-node/dist/x.js";`, [
    "guarded-imports",
  ]],
  ["protobuf has its place", "agent/runtimes/cri/a.ts", `import "@bufbuild/protobuf";`, []],
  ["and no other", "agent/runtimes/fake/a.ts", `import "@bufbuild/protobuf/wkt";`, [
    "guarded-imports",
  ]],
  ["gRPC has no other place", "cloud/devices/a.ts", `import "@grpc/grpc-js";`, [
    "guarded-imports",
  ]],
  ["node:http2 ends processes", "agent/tunnel/a.ts", `import "node:http2";`, ["guarded-imports"]],
  ["also those of tests", "agent/tunnel/a_test.ts", `import "node:http2";`, ["guarded-imports"]],
  ["node:https listens in one place", "core/http/server.ts", `import "node:https";`, []],
  ["and in no other", "cloud/kubelet/a.ts", `import "node:https";`, ["guarded-imports"]],
  ["a test may be a client of it", "cloud/kubelet/a_test.ts", `import "node:https";`, []],

  ["no jsr", "core/base/a.ts", `import "jsr:@std/path";`, ["plain-imports"]],
  ["no URLs", "core/base/a.ts", `import "https://example.com/a.ts";`, ["plain-imports"]],
  ["no versions in files", "core/base/a.ts", `import "npm:zod@4";`, ["plain-imports"]],
  ["bare names", "core/base/a.ts", `import "zod";`, []],

  ["nobody imports main.ts", "tests/e2e/a.ts", `import "../../agent/main.ts";`, ["main-files"]],
  ["domain.ts is not main.ts", "agent/a.ts", `import "./domain.ts";`, []],

  ["no default export", "core/base/a.ts", `export default 1;`, ["shape"]],
  ["the linter wants one", "tools/lint/plugin.ts", `export default 1;`, []],
  ["no enum", "core/base/a.ts", `enum A { B }`, ["shape"]],
  ["no namespace", "core/base/a.ts", `namespace A { const b = 1; }`, ["shape"]],
  ["globals may be widened", "core/base/a.ts", `declare global { interface A {} }`, []],

  ["FFI has its place", "runner/engine/lib.ts", `Deno.dlopen("a", {});`, []],
  ["and no other", "runner/pool.ts", `Deno.dlopen("a", {});`, ["ffi"]],
  ["pointers too", "tools/a.ts", `new Deno.UnsafePointerView(p);`, ["ffi"]],
  ["a name that only begins alike", "runner/engineering.ts", `Deno.UnsafePointer.of(p);`, ["ffi"]],

  ["time is core/base's", "core/base/clock.ts", `Date.now(); setTimeout(f, 1);`, []],
  ["Date.now", "agent/a.ts", `Date.now();`, ["time"]],
  ["Date.now as a value", "agent/a.ts", `const now = Date.now;`, ["time"]],
  ["Math.random", "agent/a.ts", `Math.random();`, ["time"]],
  ["performance.now", "agent/a.ts", `performance.now();`, ["time"]],
  ["AbortSignal.timeout", "agent/a.ts", `AbortSignal.timeout(5);`, ["time"]],
  ["timers", "agent/a.ts", `setTimeout(f, 1); setInterval(f, 1);`, ["time", "time"]],
  ["timers of globalThis", "agent/a.ts", `globalThis.setTimeout(f, 1);`, ["time"]],
  ["timers of Node", "agent/a.ts", `import "node:timers/promises";`, ["time"]],
  ["new Date()", "agent/a.ts", `new Date();`, ["time"]],
  ["new Date(ms) reads no clock", "agent/a.ts", `new Date(5); Date.UTC(1); clock.now();`, []],
  ["Temporal.Now", "agent/a.ts", `Temporal.Now.instant();`, ["time"]],
  ["tests, benches, tools are free", "bench/a.ts", `Date.now(); setTimeout(f, 1);`, []],
  ["an inherited name is no clock", "agent/a.ts", `toString.now; constructor.now();`, []],

  ["an export needs JSDoc", "core/base/a.ts", `export const a = 1;`, ["documented"]],
  ["a line comment is none", "core/base/a.ts", `// about a\nexport const a = 1;`, ["documented"]],
  ["a block comment is none", "core/base/a.ts", `/* a */\nexport const a = 1;`, ["documented"]],
  ["JSDoc is", "core/base/a.ts", `/** A é. */\nexport const a = 1;`, []],
  [
    "a lint comment may stand between",
    "core/base/a.ts",
    `/** A. */\n// deno-lint-ignore no-explicit-any\nexport const a = 1;`,
    [],
  ],
  ["the one above is not this one's", "core/base/a.ts", `/** A. */\nlet b;\nexport type A = 1;`, [
    "documented",
  ]],
  [
    "a schema and its type share one",
    "core/base/a.ts",
    `/** A. */\nexport const A = z;\nexport type A = z.infer<typeof A>;`,
    [],
  ],
  [
    "overloads share one",
    "core/base/a.ts",
    `/** A. */\nexport function a(b: 1): 1;\nexport function a(b: 2): 2;\nexport function a() {}`,
    [],
  ],
  ["exported later", "core/base/a.ts", `const a = 1;\nexport { a };`, ["documented"]],
  ["documented where declared", "core/base/a.ts", `/** A. */\nconst a = 1;\nexport { a };`, []],
  ["interfaces and classes", "core/base/a.ts", `export interface A {}\nexport class B {}`, [
    "documented",
    "documented",
  ]],
  ["tests need none", "core/base/a_test.ts", `export const a = 1;`, []],
  ["generated files need none", "agent/runtimes/cri/api_pb.ts", `export const a = 1;`, []],
];

for (const [name, path, source, rules] of CASES) {
  Deno.test(`lint: ${name} (${path}: ${source.slice(0, 50)})`, () => {
    assert.deepEqual(fired(path, source), rules);
  });
}

Deno.test("every rule fires in at least one case", () => {
  const covered = new Set(CASES.flatMap(([, , , rules]) => rules));
  assert.deepEqual([...covered].sort(), Object.keys(plugin.rules).sort());
});

Deno.test("deno.json names the plugin, so that deno lint uses it", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.deepEqual(config.lint.plugins, ["./tools/lint/plugin.ts"]);
});
