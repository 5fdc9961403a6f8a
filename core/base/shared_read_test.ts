import assert from "node:assert/strict";
import { VirtualClock } from "./clock.ts";
import { SharedRead } from "./shared_read.ts";
import { seconds } from "./units.ts";

const never = new AbortController().signal;

/** Counts reads; each waits for its own resolvers. */
function counted(clock = new VirtualClock()) {
  const reads: (PromiseWithResolvers<string> & { signal: AbortSignal })[] = [];
  const shared = new SharedRead<string>({
    clock,
    maxAge: seconds(1),
    read: (signal) => {
      const read = { ...Promise.withResolvers<string>(), signal };
      reads.push(read);
      return read.promise;
    },
  });
  return { clock, reads, shared };
}

Deno.test("SharedRead reads once for all who ask at once, and keeps the answer for its time", async () => {
  const { clock, reads, shared } = counted();
  const asked = [shared.get(never), shared.get(never)];
  reads[0]?.resolve("first");
  assert.deepEqual(await Promise.all(asked), ["first", "first"]);
  assert.equal(await shared.get(never), "first");
  assert.equal(reads.length, 1);
  await clock.advance(seconds(1));
  const later = shared.get(never);
  reads[1]?.resolve("second");
  assert.equal(await later, "second");
});

Deno.test("SharedRead keeps no failure, and goes on when one of several leaves", async () => {
  const { reads, shared } = counted();
  const leave = new AbortController();
  const [left, stayed] = [shared.get(leave.signal), shared.get(never)];
  leave.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  assert.equal(reads[0]?.signal.aborted, false);
  reads[0]?.reject(new Error("broken"));
  await assert.rejects(stayed, /broken/);
  const again = shared.get(never);
  reads[1]?.resolve("fine");
  assert.equal(await again, "fine");
});

Deno.test("SharedRead ends a read that nobody waits for, and the next one to ask gets a new one", async () => {
  const { reads, shared } = counted();
  const leave = new AbortController();
  const left = shared.get(leave.signal);
  leave.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  assert.equal(reads[0]?.signal.aborted, true);
  const next = shared.get(never);
  reads[0]?.reject(new Error("ended"));
  reads[1]?.resolve("new");
  assert.equal(await next, "new");
  await assert.rejects(shared.get(AbortSignal.abort(new Error("late"))), /late/);
});
