import assert from "node:assert/strict";
import { Slots } from "./slots.ts";

const { signal } = new AbortController();

Deno.test("Slots.take() lets so many in, then one for each that leaves, in turn", async () => {
  const slots = new Slots(2);
  const [a, b] = [await slots.take(signal), await slots.take(signal)];
  const order: number[] = [];
  const waiting = [1, 2].map(async (one) => {
    const slot = await slots.take(signal);
    order.push(one);
    return slot;
  });
  await Promise.resolve();
  assert.deepEqual(order, []);
  a[Symbol.dispose]();
  await waiting[0];
  assert.deepEqual(order, [1]);
  b[Symbol.dispose]();
  await waiting[1];
  assert.deepEqual(order, [1, 2]);
});

Deno.test("Slots.take() rejects with the signal's reason and leaves its place to the next", async () => {
  const slots = new Slots(1);
  const first = await slots.take(signal);
  const stop = new AbortController();
  const reason = new Error("enough");
  const given = assert.rejects(slots.take(stop.signal), reason);
  const next = slots.take(signal);
  stop.abort(reason);
  await given;
  first[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  await assert.rejects(slots.take(stop.signal), reason);
});

Deno.test("a slot that is disposed twice is free once", async () => {
  const slots = new Slots(1);
  const slot = await slots.take(signal);
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  await slots.take(signal);
  let second = false;
  slots.take(signal).then(() => second = true);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.equal(second, false);
});
