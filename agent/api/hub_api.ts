import { AppError, type Clock } from "../../core/base/mod.ts";
import { ANSWERED_BY, API_SERVER, Forwarder } from "../../core/kube/mod.ts";
import type { Credentials } from "../../core/link/mod.ts";

/** Options of {@linkcode HubApi}. */
export interface HubApiOptions {
  /** `host:port`. */
  readonly hub: string;
  /** Asked for each request, so that a renewed certificate is used for the next. */
  readonly credentials: () => Credentials;
  /** The present link, with the server behind it, by what aborts with it. */
  readonly link: () => AbortSignal;
  readonly clock: Clock;
}

/** What the hub may say of its own: too large, too many, not now, too slow. */
const PASSED = new Set([413, 429, 503, 504]);

/** The cluster's API server, by way of the hub (docs/protocol.md 8). */
export class HubApi implements Disposable {
  readonly #options: HubApiOptions;
  #used: Credentials | undefined;
  #link: AbortSignal | undefined;
  #forwarder: Forwarder | undefined;

  constructor(options: HubApiOptions) {
    this.#options = options;
  }

  /**
   * Has a request answered by the API server, by the token that it carries.
   *
   * @throws {AppError} as `Forwarder.send`; ServiceUnavailable when the hub does not pass it on
   */
  async send(request: Request, signal: AbortSignal): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const url = `https://${this.#options.hub}/v1/kube${pathname}${search}`;
    const response = await this.#current().send(request, url, signal);
    if (response.headers.get(ANSWERED_BY) === API_SERVER) return response;
    if (PASSED.has(response.status)) return response;
    // An older hub, or one that shuts this node out: its "not found" says nothing of the object.
    await response.body?.cancel();
    throw new AppError(
      "ServiceUnavailable",
      `the hub at ${this.#options.hub} passes no requests on to the API server: it answered ` +
        `${response.status}; is it as new as this node, and has it let this node in?`,
    );
  }

  [Symbol.dispose](): void {
    this.#forwarder?.[Symbol.dispose]();
  }

  #current(): Forwarder {
    const now = this.#options.credentials();
    const { ca, cert: certificate, key } = now;
    const link = this.#options.link();
    // What lay on the way of a link that died is gone for the connections from then as well: a
    // request on one of them would wait for its whole time, while a new one is answered at once.
    const same = this.#link === link && this.#used?.cert === certificate && this.#used.ca === ca;
    if (this.#forwarder && same) return this.#forwarder;
    this.#forwarder?.[Symbol.dispose]();
    this.#used = now;
    this.#link = link;
    return this.#forwarder = new Forwarder({
      what: "the hub",
      tls: { ca, credential: { certificate, key } },
      clock: this.#options.clock,
    });
  }
}
