import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { minutes, type Ms, ms, seconds } from "../../core/base/mod.ts";
import { EventCorrelator, type RawEvent } from "./event_correlator.ts";

const AT = ms(Date.UTC(2026, 0, 1));
const PULLED: RawEvent = { uid: "u1", type: "Normal", reason: "Pulled", message: "in 1s" };

function after(span: number): Ms {
  return ms(AT + span);
}

Deno.test("correlate() counts the same event up and keeps its name and first time", () => {
  const events = new EventCorrelator();
  const first = events.correlate(PULLED, AT);
  const again = events.correlate(PULLED, after(5000));
  strictEqual(first?.count, 1);
  deepStrictEqual(again, { ...first, count: 2, lastTimestamp: after(5000) });
  const other = events.correlate({ ...PULLED, fieldPath: "spec.containers{b}" }, after(5000));
  strictEqual(other?.count, 1);
  strictEqual(other?.series === first?.series, false);
});

Deno.test("correlate() names an event anew after a restart of the process", () => {
  const before = new EventCorrelator().correlate(PULLED, AT);
  const after_ = new EventCorrelator().correlate(PULLED, after(1));
  strictEqual(before?.series === after_?.series, false);
});

Deno.test("correlate() combines ten events of one reason that differ in their message", () => {
  const events = new EventCorrelator();
  const told = Array.from(
    { length: 12 },
    (_, i) => events.correlate({ ...PULLED, message: `in ${i}s` }, after(i)),
  );
  strictEqual(new Set(told.map((one) => one?.series)).size, 10);
  strictEqual(told[8]?.message, "in 8s");
  strictEqual(told[9]?.message, "(combined from similar events): in 9s");
  strictEqual(told[11]?.message, "(combined from similar events): in 11s");
  strictEqual(told[11]?.count, 3);
  // Another reason, or ten minutes later, is told by itself.
  strictEqual(events.correlate({ ...PULLED, reason: "Killing" }, after(20))?.message, "in 1s");
  const later = events.correlate({ ...PULLED, message: "in 99s" }, after(minutes(11)));
  strictEqual(later?.message, "in 99s");
});

Deno.test("correlate() lets an object have 25 at once and one more each 5 min; others are free", () => {
  const events = new EventCorrelator();
  const told = Array.from({ length: 30 }, () => events.correlate(PULLED, AT));
  strictEqual(told.filter((one) => one !== undefined).length, 25);
  strictEqual(events.correlate({ ...PULLED, uid: "u2" }, AT)?.count, 1);
  strictEqual(events.correlate(PULLED, after(seconds(299))), undefined);
  // What was not told has counted all the same.
  strictEqual(events.correlate(PULLED, after(seconds(301)))?.count, 32);
  strictEqual(events.correlate(PULLED, after(seconds(302))), undefined);
  // A clock that is set back gives nothing and takes nothing.
  strictEqual(events.correlate(PULLED, AT), undefined);
});

Deno.test("correlate() forgets objects that are gone, and the longest unseen of very many", () => {
  const events = new EventCorrelator();
  events.correlate(PULLED, AT);
  events.forget("u1");
  strictEqual(events.correlate(PULLED, AT)?.count, 1);
  for (let i = 0; i < 300; i++) events.correlate({ ...PULLED, uid: `other-${i}` }, AT);
  strictEqual(events.correlate(PULLED, AT)?.count, 1);
});
