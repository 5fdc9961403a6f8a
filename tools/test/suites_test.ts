import assert from "node:assert/strict";
import { findTestFiles, orphans } from "./files.ts";
import { inCi, reasonFor } from "./needs.ts";
import { chooseSuites, SUITES, TURNS } from "./suites.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

Deno.test("every test file of the repository is in a suite", async () => {
  const files = await findTestFiles(ROOT);
  assert.ok(files.includes("tools/test/suites_test.ts"));
  assert.deepEqual(orphans(SUITES, files), []);
});

Deno.test("orphans() names a test file that no suite covers", () => {
  assert.deepEqual(orphans(SUITES, ["core/a_test.ts", "charts/b_test.ts"]), ["charts/b_test.ts"]);
});

Deno.test("no suite covers a folder of another, unless one of them runs on a cluster", () => {
  for (const onCluster of [true, false]) {
    const paths = SUITES.filter((suite) => suite.onCluster === onCluster).flatMap((one) =>
      one.paths
    );
    for (const path of paths) {
      assert.deepEqual(paths.filter((other) => `${other}/`.startsWith(`${path}/`)), [path]);
    }
  }
});

Deno.test("a file that a suite names is there", async () => {
  const files = await findTestFiles(ROOT);
  for (const path of SUITES.flatMap((suite) => suite.paths)) {
    if (path.endsWith(".ts")) assert.ok(files.includes(path), path);
  }
});

Deno.test("suites that share a cluster never run at once", () => {
  for (const now of TURNS) {
    assert.equal(SUITES.filter(({ onCluster, turn }) => onCluster && turn === now).length, 1);
  }
});

Deno.test("chooseSuites() picks by name and refuses names that are none", () => {
  assert.deepEqual(chooseSuites(["sim"]).map(({ name }) => name), ["sim"]);
  assert.equal(chooseSuites([]), SUITES);
  assert.throws(
    () => chooseSuites(["simm"]),
    /There is no suite "simm"; there are: arm64, unit-core, /,
  );
});

Deno.test("reasonFor() tells only what concerns the test", () => {
  const missing = { kubectl: "no package", root: "this run is not root's" };
  assert.equal(reasonFor(["kubectl"], missing), "kubectl: no package");
  assert.equal(reasonFor(["libwasmtime"], missing), undefined);
});

Deno.test("inCi() is true for CI=true and CI=1 only", () => {
  assert.deepEqual(["true", "1", "false", "", undefined].map((value) => inCi(() => value)), [
    true,
    true,
    false,
    false,
    false,
  ]);
});
