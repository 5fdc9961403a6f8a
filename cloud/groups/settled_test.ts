import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import { minutes, VirtualClock } from "../../core/base/mod.ts";
import { Settled } from "./settled.ts";

const object = (spec: Record<string, unknown>, uid = "u1"): KubeObject => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "a", uid, resourceVersion: "1" },
  spec,
});
const items = (cpu: string, image = "a") => [{ name: "main", image, cpu }, { name: "other" }];

Deno.test("Settled knows what a write did not take away, and nothing else", () => {
  const settled = new Settled({ clock: new VirtualClock() });
  const [answer, next] = [object({ items: items("1") }), object({ items: items("1000m") })];
  assert.equal(settled.has(answer, next), false);
  settled.learn(answer, next);
  assert.equal(settled.has(answer, next), true);
  const status = { ready: 1 };
  assert.equal(settled.has({ ...answer, status }, { ...next, status }), true, "others' part");

  const more = object({ items: items("1000m"), replicas: 2 });
  assert.equal(settled.has(answer, more), false, "more is wanted");
  const edited = object({ items: items("1", "theirs") });
  assert.equal(settled.has(edited, next), false, "an edit of an item whose list differs anyway");
  assert.equal(settled.has({ ...answer, metadata: { name: "a", uid: "u2" } }, next), false);
  settled.learn(answer, undefined);
  assert.equal(settled.has(answer, next), false, "a later write took it away");
});

Deno.test("Settled has it tried again after an hour, and forgets what is gone", async () => {
  const clock = new VirtualClock();
  const settled = new Settled({ clock });
  const [answer, next] = [object({}), object({ colour: "red" })];
  settled.learn(answer, next);
  await clock.advance(minutes(59));
  assert.equal(settled.has(answer, next), true);
  await clock.advance(minutes(1));
  assert.equal(settled.has(answer, next), false, "its schema may have it by now");
  settled.learn(answer, next);
  settled.forget(answer);
  assert.equal(settled.has(answer, next), false);
});
