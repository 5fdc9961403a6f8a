import assert from "node:assert/strict";
import { joinAdvice, NAME_TAKEN } from "./advice.ts";

Deno.test("joinAdvice() asks for a token that may replace when another has the name, and only then", () => {
  const at = { node: "gw-1", hub: "hub.example:10000" };
  const taken = joinAdvice({ ...at, reason: `session over: 4403 ${NAME_TAKEN}: join again` });
  assert.match(taken, /token create --node gw-1 --replace"; then/);
  for (const reason of [undefined, "the node was deleted: join the node again"]) {
    assert.match(joinAdvice({ ...at, reason }), /token create --node gw-1"; then/);
  }
});
