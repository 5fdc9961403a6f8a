import {
  type Clock,
  errorText,
  type Logger,
  markTold,
  type Ms,
  OutageLog,
  seconds,
} from "../base/mod.ts";

/** Nothing is said of a server that is away for less: it starts anew, or one of several does. */
const GRACE = seconds(5);

/**
 * Tells of an API server that is away, once for all who ask it (`docs/decisions/050-log-of-outages.md`).
 */
export class ServerOutage {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  #heard: Ms;

  constructor({ clock, log, server }: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly server: string;
  }) {
    this.#clock = clock;
    this.#heard = clock.monotonic();
    this.#log = log.with({ server });
    this.#outage = new OutageLog({ clock, log: this.#log, grace: GRACE });
  }

  /** Monotonic; when it answered last, whoever asked. The beginning, when it never did. */
  get heard(): Ms {
    return this.#heard;
  }

  /** It has answered, be it with a refusal or with an error of its own. */
  answered(): void {
    this.#heard = this.#clock.monotonic();
    const outage = this.#outage.ended();
    if (outage) this.#log.info("the API server is back", outage);
  }

  /** No answer came, or one of which nobody can make use. */
  failed(error: unknown): void {
    this.leave(error);
    this.#outage.failed("warn", "the API server is away", { error: errorText(error) });
  }

  /**
   * Whoever meets `error` needs not tell of it when it is not the first since the server has answered:
   * the first may be of one request alone.
   */
  leave(error: unknown): void {
    if (this.#outage.lasts) markTold(error);
  }
}
