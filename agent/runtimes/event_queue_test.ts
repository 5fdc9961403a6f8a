import assert from "node:assert/strict";
import { EventQueue } from "./event_queue.ts";

Deno.test("EventQueue names a pod once however often it changed before the reader looked", async () => {
  const queue = new EventQueue();
  for (const podUid of ["a", "b", "a", "a"]) queue.push({ podUid });
  assert.deepEqual((await queue.next()).value, { podUid: "a" });
  assert.deepEqual((await queue.next()).value, { podUid: "b" });
  const next = queue.next();
  queue.push({ podUid: "a" });
  assert.deepEqual((await next).value, { podUid: "a" });
});

Deno.test("EventQueue lets 'look at everything' swallow what waits", async () => {
  const queue = new EventQueue();
  queue.push({ podUid: "a" });
  queue.push({});
  queue.push({ podUid: "b" });
  assert.deepEqual((await queue.next()).value, {});
  const next = queue.next();
  queue.push({ podUid: "c" });
  assert.deepEqual((await next).value, { podUid: "c" });
});

Deno.test("EventQueue ends a waiting and every later next() when it closes", async () => {
  const queue = new EventQueue();
  const waiting = queue.next();
  queue.close();
  queue.push({ podUid: "a" });
  assert.equal((await waiting).done, true);
  assert.equal((await queue.next()).done, true);
});

Deno.test("EventQueue refuses a second next() while one waits", async () => {
  const queue = new EventQueue();
  const waiting = queue.next();
  await assert.rejects(queue.next(), TypeError);
  queue.close();
  await waiting;
});

Deno.test("EventQueue tells when its reader leaves", async () => {
  let left = 0;
  const queue = new EventQueue(() => left++);
  queue.push({});
  for await (const _ of queue) break;
  assert.equal(left, 1);
});
