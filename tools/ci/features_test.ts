import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("docs/features.md", ROOT));
const rows = text.split("\n").filter((line) => /^\| [ABC]\d+ +\|/.test(line)).map((line) => {
  const [, id = "", , status = "", note = "", tests = ""] = line.split("|").map((c) => c.trim());
  return { id, status, note, tests: [...tests.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? "") };
});

function range(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
}

Deno.test("docs/features.md has every row once, in order", () => {
  const all = [...range("A", 23), ...range("B", 12), ...range("C", 10)];
  assert.deepEqual(rows.map(({ id }) => id), all);
});

for (const { id, status, note, tests } of rows) {
  Deno.test(`docs/features.md row ${id} is "${status}" with the tests for it`, async () => {
    assert.ok(["works", "partly", "planned"].includes(status), status);
    if (status === "planned") return assert.deepEqual(tests, []);
    assert.ok(tests.length > 0, `${id} names no test`);
    if (status === "partly") assert.ok(note.length > 0, `${id} does not say what works`);
    for (const test of tests) assert.ok((await Deno.stat(new URL(test, ROOT))).isFile, test);
  });
}
