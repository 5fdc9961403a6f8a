import assert from "node:assert/strict";
import { minutes, ms, seconds } from "../base/mod.ts";
import { SeqTimes } from "./seq_times.ts";

Deno.test("SeqTimes tells when a number was given out, to the minute", () => {
  const times = new SeqTimes(ms(0));
  for (let second = 600; second < 1200; second++) times.note(second, seconds(second));
  assert.equal(times.at(17), 0, "before this process began");
  assert.equal(times.at(700), seconds(660));
  assert.equal(times.at(1199), seconds(1140));
});

Deno.test("SeqTimes keeps little, however long nothing is forgotten", () => {
  const times = new SeqTimes(ms(0));
  const month = 30 * 24 * 60;
  for (let minute = 1; minute <= month; minute++) times.note(minute, minutes(minute));
  const at = times.at(month / 2);
  assert.ok(at <= minutes(month / 2) && at > minutes(month / 2 * 0.9), String(at));
});
