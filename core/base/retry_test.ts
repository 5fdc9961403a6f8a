import { rejects, strictEqual } from "node:assert/strict";
import { VirtualClock } from "./clock.ts";
import { AppError, isAppError } from "./errors.ts";
import { seededRandom } from "./random.ts";
import { backoffDelay, retry } from "./retry.ts";
import { ms, seconds } from "./units.ts";

const backoff = { base: ms(100), cap: seconds(2) };

Deno.test("backoffDelay() has full jitter below a doubling, capped ceiling", () => {
  const random = seededRandom(7);
  for (let attempt = 0; attempt < 60; attempt++) {
    const delay = backoffDelay(backoff, attempt, random);
    strictEqual(delay >= 0 && delay <= Math.min(2000, 100 * 2 ** attempt), true);
  }
  strictEqual(backoffDelay(backoff, 1, () => 0.5), 100);
  strictEqual(backoffDelay(backoff, 1000, () => 1), 2000);
});

Deno.test("retry() tries again only what may go away by itself", async () => {
  const clock = new VirtualClock();
  let tries = 0;
  const options = {
    clock,
    random: () => 1,
    backoff,
    retryable: (error: unknown) => isAppError(error, "ServiceUnavailable"),
  };
  const result = retry(() => {
    tries++;
    return tries < 3
      ? Promise.reject(new AppError("ServiceUnavailable", "later"))
      : Promise.resolve("done");
  }, options);
  await clock.advance(seconds(10));
  strictEqual(await result, "done");
  strictEqual(tries, 3);
  await rejects(retry(() => Promise.reject(new AppError("Invalid", "never")), options), /never/);
});

Deno.test("retry() gives up after its attempts with the last error", async () => {
  const clock = new VirtualClock();
  let tries = 0;
  const result = retry(
    () => Promise.reject(new Error(`try ${++tries}`)),
    { clock, random: () => 1, backoff, retryable: () => true, attempts: 3 },
  );
  const check = rejects(result, /try 3/);
  await clock.advance(seconds(10));
  await check;
});
