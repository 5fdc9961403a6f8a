import { deepStrictEqual, throws } from "node:assert/strict";
import { isAppError } from "../core/base/mod.ts";
import { readObjects } from "./apply.ts";

const GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

Deno.test("readObjects() reads all documents of a file, and leaves empty ones out", () => {
  const found = readObjects("f.yaml", `---\n${GOOD}---\n---\n${GOOD}`);
  deepStrictEqual(found.map(({ kind, metadata }) => `${kind} ${metadata.name}`), [
    "ConfigMap a",
    "ConfigMap a",
  ]);
  deepStrictEqual(readObjects("f.yaml", ""), []);
});

for (
  const [what, text, told] of [
    [
      "a typo in apiVersion",
      GOOD.replace("v1", "v11"),
      /line 6: ConfigMap a: .* of apiVersion v11, but of v1:/,
    ],
    ["no kind", "apiVersion: v1\nmetadata:\n  name: a\n", /line 6: an object needs .* kind/],
    ["no metadata", "apiVersion: v1\nkind: ConfigMap\n", /line 6: an object needs/],
    ["a list", "- a\n", /line 6: an object needs/],
    ["no YAML", "a: [\n", /line \d: is no YAML/],
  ] as const
) {
  Deno.test(`readObjects() names the file and the line of ${what}`, () => {
    throws(
      () => readObjects("dir/f.yaml", `${GOOD}---\n${text}`),
      (error: Error) =>
        isAppError(error, "BadRequest") && error.message.startsWith("dir/f.yaml, ") &&
        told.test(error.message),
    );
  });
}
