import assert from "node:assert/strict";
import { conditionOf, conditionsOf } from "./conditions.ts";

Deno.test("conditionOf() finds the condition of a type, in whatever somebody has written", () => {
  const ready = { type: "Ready", status: "True" };
  const conditions = [null, 7, "Ready", { status: "True" }, ready];
  assert.equal(conditionOf({ status: { conditions } }, "Ready"), ready);
  assert.equal(conditionOf({ status: { conditions } }, "Failed"), undefined);
  for (const status of [undefined, null, 7, "x", {}, { conditions: {} }, { conditions: null }]) {
    assert.equal(conditionOf({ status }, "Ready"), undefined);
    assert.deepEqual(conditionsOf({ status }), []);
  }
  assert.equal(conditionOf(undefined, "Ready"), undefined);
});
