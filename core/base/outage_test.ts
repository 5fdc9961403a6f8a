import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { AppError } from "./errors.ts";
import { createLogger } from "./log.ts";
import { failureLevel, markTold, nextFailure, OutageLog, type OutageState } from "./outage.ts";
import { minutes, type Ms, ms, seconds } from "./units.ts";

/** When something is said of failures at `times`. */
function said(times: readonly Ms[], grace?: Ms): Ms[] {
  let state: OutageState | undefined;
  return times.filter((now) => {
    const next = nextFailure(state, {
      what: "away",
      now,
      ...(grace === undefined ? {} : { grace }),
    });
    state = next.state;
    return next.say;
  });
}

const EVERY_10_S = Array.from({ length: 200 }, (_, i) => seconds(i * 10));

Deno.test("nextFailure() speaks at once, after a minute, then every ten", () => {
  deepStrictEqual(said(EVERY_10_S), [0, 1, 11, 21, 31].map(minutes));
});

Deno.test("nextFailure() says nothing of what is shorter than its grace", () => {
  deepStrictEqual(said([ms(0), seconds(1), seconds(4.9)], seconds(5)), []);
  deepStrictEqual(said(EVERY_10_S, seconds(5)).slice(0, 2), [seconds(10), seconds(70)]);
});

Deno.test("nextFailure() says at once when it fails in another way", () => {
  const first = nextFailure(undefined, { what: "away", now: ms(0) });
  const other = nextFailure(first.state, { what: "shut out", now: seconds(3) });
  strictEqual(other.say, true);
  const same = nextFailure(other.state, { what: "shut out", now: seconds(6) });
  strictEqual(same.say, false);
  strictEqual(nextFailure(same.state, { what: "away", now: seconds(7) }).say, true);
  strictEqual(nextFailure(same.state, { what: "shut out", now: seconds(63) }).say, true);
  strictEqual(same.state.since, 0);
  strictEqual(same.state.tries, 3);
});

Deno.test("OutageLog writes few lines that are read, all tries at debug, and how long it took", () => {
  const lines: Record<string, unknown>[] = [];
  let now = ms(0);
  const log = createLogger({ level: "debug", write: (line) => lines.push(JSON.parse(line)) });
  const outage = new OutageLog({ clock: { monotonic: () => now }, log });
  strictEqual(outage.ended(), undefined);
  for (let i = 0; i < 20; i++) {
    outage.failed("warn", "it is away", { error: "refused" });
    strictEqual(outage.lasts, true);
    now = seconds(10 * (i + 1));
  }
  deepStrictEqual(
    lines.filter(({ level }) => level === "warn").map(({ time: _, ...rest }) => rest),
    [
      { level: "warn", msg: "it is away", error: "refused" },
      { level: "warn", msg: "it is away", error: "refused", lasted: "60 s", tries: 7 },
    ],
  );
  strictEqual(lines.filter(({ level }) => level === "debug").length, 18);
  deepStrictEqual(outage.ended(), { lasted: "200 s", tries: 20 });
  strictEqual(outage.lasts, false);
  strictEqual(outage.ended(), undefined);
});

Deno.test("failureLevel() leaves it to whoever tells of the outage, also of an error around it", () => {
  const error = new AppError("ServiceUnavailable", "away");
  strictEqual(failureLevel(error), "warn");
  markTold(error);
  strictEqual(failureLevel(error), "debug");
  strictEqual(failureLevel(new AppError("InternalError", "x", { cause: error })), "debug");
  strictEqual(failureLevel("text"), "warn");
});
