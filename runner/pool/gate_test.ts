import assert from "node:assert/strict";
import { ms, VirtualClock } from "../../core/base/mod.ts";
import { Gate } from "./gate.ts";

Deno.test("Gate lets calls in up to its concurrency, queues in order, and refuses the rest", async () => {
  const clock = new VirtualClock();
  const gate = new Gate({ concurrency: 1, queue: 2 });
  const options = { clock, patience: ms(1000) };
  assert.equal(gate.tryEnter(), true);
  assert.equal(gate.full, false);
  const order: string[] = [];
  const first = gate.enter(options).then((refused) => order.push(`first ${refused}`));
  const second = gate.enter(options).then((refused) => order.push(`second ${refused}`));
  assert.equal(gate.full, true);
  assert.equal(await gate.enter(options), "QueueFull");
  gate.leave();
  await first;
  assert.equal(gate.tryEnter(), false);
  gate.leave();
  await second;
  assert.deepEqual(order, ["first undefined", "second undefined"]);
  gate.leave();
  assert.deepEqual([gate.active, gate.waiting, clock.size], [0, 0, 0]);
});

Deno.test("Gate gives up on a call that waits too long or whose caller has gone", async () => {
  const clock = new VirtualClock();
  const gate = new Gate({ concurrency: 1, queue: 2 });
  gate.tryEnter();
  const late = gate.enter({ clock, patience: ms(100) });
  const gone = new AbortController();
  const left = gate.enter({ clock, patience: ms(1000), signal: gone.signal });
  await clock.advance(ms(100));
  assert.equal(await late, "QueueTimeout");
  gone.abort();
  assert.equal(await left, "Gone");
  assert.deepEqual([gate.waiting, clock.size], [0, 0]);
  gate.leave();
  assert.equal(gate.tryEnter(), true);
});
