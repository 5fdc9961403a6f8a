import assert from "node:assert/strict";
import { isAppError } from "./errors.ts";
import { Places } from "./places.ts";

Deno.test("enter() has so many places for each, and room again when one was given back", () => {
  const places = new Places();
  const enter = (key: string) => places.enter(key, { most: 2, who: `pod ${key}` });
  const leave = enter("a");
  enter("a");
  enter("b");
  assert.equal(places.size, 3);
  assert.throws(() => enter("a"), (error) => {
    assert.ok(isAppError(error, "TooManyRequests"));
    assert.match(error.message, /pod a has 2 requests under way/);
    assert.equal(error.retryAfterSeconds, 1);
    return true;
  });
  leave();
  leave();
  enter("a");
  assert.throws(() => enter("a"));
  assert.equal(places.size, 3);
});
