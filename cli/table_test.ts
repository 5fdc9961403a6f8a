import { strictEqual } from "node:assert/strict";
import { table } from "./table.ts";

Deno.test("table() lines columns up under their headings", () => {
  strictEqual(
    table(["A", "LONG"], [["wide cell", "x"], ["y"]]),
    "A           LONG\nwide cell   x\ny",
  );
});
