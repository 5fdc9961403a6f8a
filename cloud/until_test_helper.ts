import { seconds, sleep, systemClock } from "../core/base/mod.ts";
import { ms } from "../core/base/mod.ts";

/** Waits, in real time, until `condition` holds; fails after 20 s. For tests. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + seconds(20);
  while (!await condition()) {
    if (systemClock.monotonic() > end) throw new Error(`waited 20 s in vain for ${condition}`);
    await sleep(systemClock, ms(1));
  }
}
