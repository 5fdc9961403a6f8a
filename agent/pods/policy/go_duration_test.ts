import assert from "node:assert/strict";
import { ms } from "../../../core/base/mod.ts";
import { goDuration } from "./go_duration.ts";

Deno.test("goDuration() prints spans as Go does", () => {
  const spans = [0, 1, 999, 1000, 1234, 10_000, 60_000, 160_000, 300_000, 3_600_000, 5_025_500];
  assert.deepEqual(spans.map((span) => goDuration(ms(span))), [
    "0s",
    "1ms",
    "999ms",
    "1s",
    "1.234s",
    "10s",
    "1m0s",
    "2m40s",
    "5m0s",
    "1h0m0s",
    "1h23m45.5s",
  ]);
});
