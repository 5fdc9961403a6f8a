import {
  type Clock,
  errorText,
  isAppError,
  isTold,
  type Logger,
  type Ms,
  OutageLog,
  seconds,
} from "../base/mod.ts";
import type { Recovery } from "./classify.ts";

/** A watch that lasts this long is healthy: what fails after it begins anew. */
export const HEALTHY_AFTER = seconds(1);
/** Nothing is said of watches that fail for less: a server that has just started refuses some. */
const GRACE = seconds(5);

/** What the log says of the watches of one kind. */
export class WatchLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  /** Whether a watch has told anything since one failed last. */
  #heard = false;
  /** When a watch that goes on is healthy, in monotonic time. */
  #healthyAt = 0;

  constructor(options: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#outage = new OutageLog({ ...options, grace: GRACE });
  }

  /** A watch has told what is complete. An outage is over when it does so and lasts. */
  heard(): void {
    this.#heard = true;
    if (this.#clock.monotonic() < this.#healthyAt) return;
    const outage = this.#outage.ended();
    if (outage) this.#log.info("watch goes on", outage);
  }

  /**
   * A watch that breaks is everyday, and that its version has expired meanwhile; one that breaks again
   * before it has told anything, or at once, for some seconds, is not.
   *
   * @param how `failures`: earlier ones in turn with no healthy watch between
   */
  failed(
    error: unknown,
    how: { readonly recovery: Recovery; readonly failures: number; readonly wait: Ms },
  ): void {
    const everyday = how.recovery === "resume" && this.#heard && how.failures === 0;
    this.#heard = false;
    this.#healthyAt = this.#clock.monotonic() + how.wait + HEALTHY_AFTER;
    const fields = { ...how, error: errorText(error) };
    const expired = how.failures === 0 && isAppError(error, "Expired");
    if (everyday || isTold(error)) this.#log.debug("watch failed", fields);
    else if (expired) this.#log.info("watch failed", fields);
    else this.#outage.failed("warn", "watch failed", fields);
  }
}
