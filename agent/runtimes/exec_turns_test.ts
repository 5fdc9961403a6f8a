import { equal, rejects } from "node:assert/strict";
import { ms, seconds, VirtualClock } from "../../core/base/mod.ts";
import { ExecTurns } from "./exec_turns.ts";

const never = new AbortController().signal;

Deno.test("ExecTurns lets eight commands of a container begin, and others as those end", async () => {
  const clock = new VirtualClock();
  const turns = new ExecTurns(clock);
  const begun: number[] = [];
  const all = Array.from({ length: 10 }, async (_, index) => {
    const turn = await turns.take("a", never);
    begun.push(index);
    return turn;
  });
  const first = await Promise.all(all.slice(0, 8));
  await clock.advance(ms(1));
  equal(begun.length, 8);
  using _other = await turns.take("b", never);
  first[3]?.[Symbol.dispose]();
  first[3]?.[Symbol.dispose]();
  (await all[8])?.[Symbol.dispose]();
  (await all[9])?.[Symbol.dispose]();
  equal(begun.join(), "0,1,2,3,4,5,6,7,8,9");
});

Deno.test("ExecTurns gives a turn on after a second, and to nobody who has left", async () => {
  const clock = new VirtualClock();
  const turns = new ExecTurns(clock);
  for (let index = 0; index < 8; index++) await turns.take("a", never);
  const stop = new AbortController();
  const left = turns.take("a", stop.signal);
  const stays = turns.take("a", never);
  stop.abort(new Error("left"));
  await rejects(left, /left/);
  await clock.advance(seconds(1));
  (await stays)[Symbol.dispose]();
  equal(clock.size, 0);
});
