import { AppError, type Clock, errorText, type Logger, seconds } from "../base/mod.ts";

/** Tokens are rotated in their file: it is looked at so often. */
const FRESH = seconds(60);
/** When it cannot be read, it is looked at again after this. */
const RETRY = seconds(5);

/** Options of {@linkcode Bearer}. */
export interface BearerOptions {
  /** Address of the server, for messages. */
  readonly server: string;
  readonly read: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The bearer token of a client. */
export class Bearer {
  readonly #options: BearerOptions;
  #known: { readonly text: string; readonly until: number } | undefined;

  constructor(options: BearerOptions) {
    this.#options = options;
  }

  /**
   * The token. One that cannot be read again is used further: it may be good for an hour.
   *
   * @throws {AppError} Unauthorized when there is none. Never NotFound, which would say that what was
   * asked for is not there.
   */
  async get(): Promise<string> {
    const { clock, log, server } = this.#options;
    const now = clock.monotonic();
    if (this.#known && now < this.#known.until) return this.#known.text;
    try {
      this.#known = { text: await this.#read(), until: now + FRESH };
    } catch (error) {
      if (!this.#known) throw error;
      log.warn("the token cannot be read again", { server, error: errorText(error) });
      this.#known = { text: this.#known.text, until: now + RETRY };
    }
    return this.#known.text;
  }

  /** The server has refused it: the next call looks at once whether there is another. */
  refused(): void {
    if (this.#known) this.#known = { text: this.#known.text, until: 0 };
  }

  async #read(): Promise<string> {
    const { read, server } = this.#options;
    let text: string;
    try {
      text = await read();
    } catch (cause) {
      throw new AppError(
        "Unauthorized",
        `the token for ${server} cannot be read: ${errorText(cause)}`,
        { cause },
      );
    }
    if (text === "") throw new AppError("Unauthorized", `the token for ${server} is empty`);
    return text;
  }
}
