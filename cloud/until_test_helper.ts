import { seconds, sleep, systemClock } from "../core/base/mod.ts";
import { ms } from "../core/base/mod.ts";

/** Waits, in real time, until `condition` holds; fails after a minute. For tests. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + seconds(60);
  while (!await condition()) {
    if (systemClock.monotonic() > end) throw new Error(`waited a minute in vain for ${condition}`);
    await sleep(systemClock, ms(1));
  }
}
