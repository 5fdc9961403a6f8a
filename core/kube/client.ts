import {
  AppError,
  type Clock,
  deadline,
  errorText,
  isAppError,
  type Logger,
  type Ms,
  ms,
  type Random,
  seconds,
  silentLogger,
  sleep,
  Slots,
} from "../base/mod.ts";
import { heeding } from "./body.ts";
import { isAway, isUnreachable } from "./errors.ts";
import { leaveUnread, readFailure, readJson, type ReadOptions } from "./answers.ts";
import { Bearer } from "./bearer.ts";
import type { KubeEndpoint } from "./config.ts";
import { Connection } from "./connection.ts";
import { ServerOutage } from "./server_outage.ts";
import { ANY, type Shape } from "./shapes.ts";

/** Options of {@linkcode KubeClient}. */
export interface KubeClientOptions {
  readonly endpoint: KubeEndpoint;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
  /** Longest time for one call, waiting for its turn included. @default {30 s} */
  readonly timeout?: Ms;
  /** Told of every request that has been answered or has failed, tries that follow included. */
  readonly observe?: (request: SeenRequest) => void;
}

/** A request, and how it went. */
export interface SeenRequest {
  readonly call: Pick<KubeCall, "method" | "query">;
  /** Code of the answer; `undefined` when none came. */
  readonly status: number | undefined;
  /** Until the answer began. */
  readonly took: Ms;
}

/** One call of an API server. */
export interface KubeCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With `/` in front; query parameters that are `undefined` are left out. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Media type of `body`. @default {"application/json"} */
  readonly type?: string;
  /** Who to be in place of the client itself: headers `Impersonate-*`. */
  readonly as?: Impersonation;
  /**
   * Does not wait for its turn, for what others count the time of: the Leases of hubs. Few may be.
   * @default {false}
   */
  readonly urgent?: boolean;
  /** What the answer has to be. @default {a JSON object, or nothing} */
  readonly shape?: Shape;
  readonly signal?: AbortSignal;
}

/** What came of {@linkcode KubeClient.probe}: what was asked for, an error of any kind, or nothing. */
export type Probed = "ok" | "refused" | "silent";

/** Who a call is made as. */
export interface Impersonation {
  readonly user: string;
  /** Left out where constrained impersonation knows the groups of the user. */
  readonly groups?: readonly string[];
}

/** Calls at once. One connection of HTTP/2 carries 100; the one after that would wait unseen. */
const MAX_CALLS = 64;
/** Largest answer that is read. Lists are asked for in pages, and an object has at most 3 MiB. */
const MAX_ANSWER = 64 * 2 ** 20;
/** Tries of a call that is told to come later, as client-go. */
const MAX_TRIES = 5;
/** How long {@linkcode KubeClient.probe} waits. */
const ANSWERS_WITHIN = seconds(2);
/** Longest wait that an answer 429 may ask for between two tries. */
const MAX_PAUSE = seconds(10);

/**
 * A thin client of a Kubernetes API server on `fetch`: one connection of HTTP/2 for calls, and one
 * of HTTP/1.1 for each watch, because a full connection of HTTP/2 makes the next request wait
 * without a word (`docs/decisions/037-kube-client.md`).
 */
export class KubeClient implements Disposable {
  readonly #options: KubeClientOptions;
  readonly #log: Logger;
  readonly #slots = new Slots(MAX_CALLS);
  readonly #watches: Deno.HttpClient;
  readonly #token: Bearer | undefined;
  /** Watches that are open. */
  #open = 0;
  #calls: Connection;
  readonly #outage: ServerOutage;

  /** @throws {AppError} Invalid when certificate or key is empty: the client would be anonymous */
  constructor(options: KubeClientOptions) {
    const { credential, token, server } = options.endpoint;
    const empty = credential && (credential.certificate === "" || credential.key === "");
    if (empty || (!credential && !token)) {
      throw new AppError("Invalid", `The credential for ${server} is empty`);
    }
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    const { clock } = options;
    this.#outage = new ServerOutage({ clock, log: this.#log, server });
    this.#token = token && new Bearer({ server, read: token, clock, log: this.#log });
    this.#watches = Deno.createHttpClient({ ...this.#tls(), http2: false });
    this.#calls = this.#connect();
  }

  /** Address of the server, for messages. */
  get server(): string {
    return this.#options.endpoint.server;
  }

  /** Calls under way, calls that wait for their turn, and watches that are open. */
  get load(): { readonly calls: number; readonly waiting: number; readonly watches: number } {
    return {
      calls: this.#slots.taken,
      waiting: this.#slots.waiting,
      watches: this.#open,
    };
  }

  /**
   * Makes a call and returns the answer's JSON. An answer 429 is waited out as it asks, within the
   * timeout.
   *
   * @throws {AppError} what the server answers; Timeout, ServiceUnavailable when it cannot be asked or
   * answers something else than it is to
   * @throws the reason of `signal`
   */
  // deno-lint-ignore no-explicit-any -- answers of any kind; the callers know theirs
  async call(call: KubeCall): Promise<any> {
    const { clock, random, timeout = seconds(30) } = this.#options;
    const what = `${call.method} ${call.path}`;
    using limit = deadline(
      clock,
      timeout,
      () => new AppError("Timeout", `${this.server} did not answer ${what} in ${timeout / 1000} s`),
      call.signal,
    );
    const end = clock.monotonic() + timeout;
    for (let tries = 1;; tries++) {
      try {
        return await this.#callInTurn(call, what, limit.signal);
      } catch (error) {
        if (!isAppError(error, "TooManyRequests") || tries >= MAX_TRIES) throw error;
        const asked = Math.min(seconds(error.retryAfterSeconds ?? 1), MAX_PAUSE);
        const pause = (asked * (1 + random())) as Ms;
        // What it said is more than that time was up.
        if (clock.monotonic() + pause >= end) throw error;
        await sleep(clock, pause, limit.signal);
      }
    }
  }

  /**
   * Monotonic; when the server gave its last answer to any call, a refusal or an error of its own
   * included. Not one that says that it, or what is behind it, is away: 502, 503, 504.
   */
  get heard(): Ms {
    return this.#outage.heard;
  }

  /**
   * What the server says within 2 s to a GET of `path`, asked before all calls that wait for their
   * turn; what is at the path is not read. When it is silent, the next call goes over a new connection.
   *
   * @throws the reason of `signal`
   */
  async probe(path: string, signal: AbortSignal): Promise<Probed> {
    using limit = deadline(
      this.#options.clock,
      ANSWERS_WITHIN,
      () => new AppError("Timeout", `${this.server} is silent`),
      signal,
    );
    try {
      await this.#callOnce(
        { method: "GET", path, signal },
        `GET ${path}`,
        limit.signal,
        leaveUnread,
      );
      return "ok";
    } catch (error) {
      signal.throwIfAborted();
      return isUnreachable(error) ? "silent" : "refused";
    }
  }

  /** Waits for its turn; others have theirs while this one pauses. */
  async #callInTurn(call: KubeCall, what: string, signal: AbortSignal): Promise<unknown> {
    if (call.urgent) return await this.#callOnce(call, what, signal);
    using _slot = await this.#slots.take(signal).catch((error) => {
      if (isAppError(error, "Timeout")) this.#outage.leave(error);
      throw error;
    });
    return await this.#callOnce(call, what, signal);
  }

  /**
   * Opens a call whose answer goes on: its body, after the server has said 200. The caller reads it
   * or cancels it; `signal` ends it too.
   *
   * @throws {AppError} as {@linkcode call}
   */
  async open(
    call: Omit<KubeCall, "body" | "type" | "method" | "urgent" | "shape"> & {
      readonly signal: AbortSignal;
    },
  ): Promise<ReadableStream<Uint8Array>> {
    const { clock, timeout = seconds(30) } = this.#options;
    const what = `GET ${call.path}`;
    // Only the head must come in time: a quiet watch says nothing for a minute.
    using headers = deadline(
      clock,
      timeout,
      () => new AppError("Timeout", `${this.server} did not answer ${what} in ${timeout / 1000} s`),
      call.signal,
    );
    try {
      const response = await this.#fetch(this.#watches, { ...call, method: "GET" }, headers.signal);
      if (!response.ok) throw await this.#failure(what, response, headers.signal);
      this.#open++;
      return heeding(response.body ?? new Blob().stream(), call.signal, () => void this.#open--);
    } catch (error) {
      throw this.#unreachable(what, error, headers.signal, call.signal);
    }
  }

  /** Closes all connections. */
  [Symbol.dispose](): void {
    this.#calls.close();
    this.#watches.close();
  }

  async #callOnce(
    call: KubeCall,
    what: string,
    signal: AbortSignal,
    read: (response: Response, options: ReadOptions) => Promise<unknown> = readJson,
  ): Promise<unknown> {
    const connection = this.#calls;
    using _use = connection.use();
    try {
      const response = await this.#fetch(connection.client, call, signal);
      if (!response.ok) throw await this.#failure(what, response, signal);
      const { shape = ANY } = call;
      return await read(response, { what, server: this.server, most: MAX_ANSWER, shape, signal });
    } catch (error) {
      if (signal.aborted && !call.signal?.aborted) this.#reconnect(connection);
      throw this.#unreachable(what, error, signal, call.signal);
    }
  }

  async #fetch(
    client: Deno.HttpClient,
    call: Pick<KubeCall, "method" | "path" | "query" | "body" | "type" | "as">,
    signal: AbortSignal,
  ): Promise<Response> {
    const { method, path, query = {}, body, type = "application/json", as } = call;
    const url = new URL(`${this.server}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = new Headers({ accept: "application/json" });
    const token = await this.#token?.get();
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    if (body !== undefined) headers.set("content-type", type);
    if (as) {
      headers.set("impersonate-user", as.user);
      for (const group of as.groups ?? []) headers.append("impersonate-group", group);
    }
    const response = await this.#observed({ method, query }, () =>
      fetch(url, {
        method,
        client,
        headers,
        signal,
        redirect: "manual",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }));
    if (response.status < 500) this.#outage.answered();
    return response;
  }

  async #observed(
    call: SeenRequest["call"],
    send: () => Promise<Response>,
  ): Promise<Response> {
    const { clock, observe } = this.#options;
    if (!observe) return await send();
    const from = clock.monotonic();
    let status: number | undefined;
    try {
      const response = await send();
      status = response.status;
      return response;
    } finally {
      observe({ call, status, took: ms(clock.monotonic() - from) });
    }
  }

  async #failure(
    what: string,
    response: Response,
    signal: AbortSignal,
  ): Promise<AppError> {
    if (response.status === 401) this.#token?.refused();
    const error = await readFailure(response, { what, signal });
    if (isAway(error)) this.#outage.failed(error);
    else this.#outage.answered();
    return error;
  }

  #tls() {
    const { ca, credential } = this.#options.endpoint;
    return {
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      ...(credential ? { cert: credential.certificate, key: credential.key } : {}),
    };
  }

  #connect(): Connection {
    return new Connection(Deno.createHttpClient(this.#tls()));
  }

  /** A connection that lost its other end is used for ever otherwise: nobody pings it. */
  #reconnect(from: Connection): void {
    if (this.#calls !== from) return;
    this.#log.debug("the API server does not answer: connecting anew", { server: this.server });
    this.#calls = this.#connect();
    from.close();
  }

  /** @param caller aborts when whoever called wants no answer any more */
  #unreachable(what: string, error: unknown, signal: AbortSignal, caller?: AbortSignal): unknown {
    if (signal.aborted) {
      if (!caller?.aborted) this.#outage.failed(signal.reason);
      return signal.reason;
    }
    if (isAppError(error)) return error;
    const unreachable = new AppError(
      "ServiceUnavailable",
      `the API server at ${this.server} cannot be asked now (${what}): ${errorText(error)}`,
      { cause: error },
    );
    this.#outage.failed(unreachable);
    return unreachable;
  }
}
