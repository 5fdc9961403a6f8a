import {
  AppError,
  type Clock,
  deadline,
  type ErrorCode,
  type Logger,
  type Ms,
  patientTimer,
} from "../base/mod.ts";
import { encodeMessage, isProtocolError, parseMessage, PartJoiner } from "./codec.ts";
import { Heartbeat } from "./heartbeat.ts";
import { CLOSE, type Closed, type Connection, type Frame, LINK, type Message } from "./link.ts";

/** Options of {@linkcode Session}. */
export interface SessionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  /** @default {LINK.heartbeat} */
  readonly heartbeat?: Ms;
  /** Heartbeats of silence after which this side pings. @default {1} */
  readonly beatAfter?: number;
  /** Answers a `call` of the peer; absent: every call is refused. A throw is the error answer. */
  readonly onCall?: (method: string, body: unknown, signal: AbortSignal) => Promise<unknown>;
}

/** An error as it goes over the link. */
export interface WireError {
  readonly code: string;
  readonly message: string;
}

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One session of docs/protocol.md on a connection: messages both ways, heartbeats, parts, calls.
 * What the other messages mean is `core/sync`'s business.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  readonly #heartbeat: Heartbeat;
  readonly #joiner = new PartJoiner();
  #inbox: Message[] = [];
  #inboxBytes = 0;
  #reader: ((message: Message | undefined) => void) | undefined;
  #calls: Map<number, Waiting> | undefined;
  #serving: AbortController | undefined;
  #running = 0;
  #probing: Disposable | undefined;
  #nextId = 1;
  #over = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#heartbeat = new Heartbeat(options.clock, options.heartbeat ?? LINK.heartbeat, {
      beat: () => this.#sendNow({ t: "ping", n: this.#nextId++ }),
      dead: () => this.close(CLOSE.heartbeat, "no sign of life for 3 heartbeats"),
    }, options.beatAfter);
    void this.#read();
  }

  /** Who is at the other end. */
  get peer(): Connection["peer"] {
    return this.#connection.peer;
  }

  /** How the session ended. */
  get closed(): Promise<Closed> {
    return this.#connection.closed;
  }

  /** When the peer was last heard, on the monotonic clock. */
  get lastHeard(): Ms {
    return this.#heartbeat.lastHeard;
  }

  /** Takes over the hub's heartbeat. */
  setHeartbeat(interval: Ms): void {
    this.#heartbeat.setInterval(interval);
  }

  /**
   * Sends one message; resolves with its size when there is room for more. Messages go out in the
   * order of the calls.
   *
   * @throws {AppError} ServiceUnavailable when the session is over, RequestEntityTooLarge
   */
  async send(message: Message): Promise<number> {
    let size = 0;
    let last: Promise<void> | undefined;
    const frames = encodeMessage(message, () => this.#nextId++);
    for (const frame of frames) {
      this.#heartbeat.sent();
      size += frame.length;
      last?.catch(() => {});
      // All parts go to the connection in this turn: another message's parts must not come between.
      last = this.#connection.send(frame);
    }
    await last;
    return size;
  }

  /** The next message, or `undefined` when the session is over. One reader at a time. */
  receive(): Promise<Message | undefined> {
    const message = this.tryReceive();
    if (message || this.#over) return Promise.resolve(message);
    return new Promise((resolve) => this.#reader = resolve);
  }

  /** The next message if one waits. */
  tryReceive(): Message | undefined {
    const message = this.#inbox.shift();
    if (this.#inbox.length === 0) this.#inboxBytes = 0;
    return message;
  }

  /** How many messages wait for the reader. */
  get waiting(): number {
    return this.#inbox.length;
  }

  /**
   * Asks the peer and waits for its answer.
   *
   * @throws {AppError} Timeout, ServiceUnavailable when the session ends first, or the peer's error
   */
  async call(method: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    const id = this.#nextId++;
    const calls = this.#calls ??= new Map();
    using limit = deadline(
      this.#options.clock,
      LINK.callTimeout,
      () => new AppError("Timeout", `no answer to ${method} from ${this.peer.name}`),
      signal,
    );
    const answer = Promise.withResolvers<unknown>();
    const onAbort = (): void => answer.reject(limit.signal.reason);
    if (limit.signal.aborted) onAbort();
    limit.signal.addEventListener("abort", onAbort, { once: true });
    calls.set(id, answer);
    try {
      if (this.#over) throw ended(this.peer.name);
      this.send({ t: "call", id, method, body }).catch(answer.reject);
      return await answer.promise;
    } finally {
      calls.delete(id);
      limit.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends the session (4408) unless the peer is heard within `limit`: for when the network changed. */
  probe(limit: Ms): void {
    const { clock } = this.#options;
    const asked = clock.monotonic();
    this.#sendNow({ t: "ping", n: this.#nextId++ });
    this.#probing?.[Symbol.dispose]();
    this.#probing = patientTimer(clock, limit, () => {
      if (this.#over || this.lastHeard > asked) return;
      this.close(CLOSE.heartbeat, "no sign of life after the network changed");
    });
  }

  /** Ends the session; idempotent. */
  close(code: number, reason: string): void {
    this.#connection.close(code, reason.slice(0, 120));
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#connection.receive();
        if (frame === undefined) break;
        this.#heartbeat.heard();
        this.#take(frame);
      }
    } catch (error) {
      // Only what the peer sent can end here, or a defect of ours: either way this session is lost.
      const large = error instanceof AppError && error.code === "RequestEntityTooLarge";
      const text = error instanceof Error ? error.message : String(error);
      if (!isProtocolError(error)) this.#options.log.error("session reader failed", { error });
      this.close(large ? CLOSE.tooLarge : CLOSE.protocol, text);
    }
    this.#end();
  }

  #take(frame: Frame): void {
    if (typeof frame !== "string") throw new AppError("BadRequest", "bytes on a session");
    const message = parseMessage(frame);
    if (message.t === "part") {
      const size = this.#joiner.held + frame.length;
      const joined = this.#joiner.add(message);
      if (joined) this.#dispatch(joined, size);
    } else this.#dispatch(message, frame.length);
  }

  #dispatch(message: Message, size: number): void {
    switch (message.t) {
      case "ping":
        return this.#sendNow({ t: "pong", n: typeof message.n === "number" ? message.n : 0 });
      case "pong":
        return;
      case "call":
        return this.#serve(message);
      case "reply":
        return this.#answered(message);
    }
    if (message.t.startsWith("x-")) return;
    this.#inboxBytes += size;
    if (this.#inbox.length >= LINK.inboxMessages || this.#inboxBytes > LINK.inboxBytes) {
      throw new AppError("BadRequest", "more messages than the windows allow");
    }
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      this.#inboxBytes = 0;
      reader(message);
    } else this.#inbox.push(message);
  }

  #serve(message: Message): void {
    const { id, method, body } = message;
    if (!Number.isSafeInteger(id) || typeof method !== "string") {
      throw new AppError("BadRequest", "call without id or method");
    }
    const onCall = this.#options.onCall;
    const fail = (code: ErrorCode, text: string): void =>
      this.#sendNow({ t: "reply", id, ok: false, error: { code, message: text } });
    if (!onCall) return fail("MethodNotAllowed", `nobody answers ${method}`);
    if (this.#running >= LINK.callsAtOnce) return fail("TooManyRequests", "too many calls at once");
    this.#running++;
    const serving = this.#serving ??= new AbortController();
    onCall(method, body, serving.signal).then(
      (answer) => this.#sendNow({ t: "reply", id, ok: true, body: answer ?? null }),
      (error) =>
        error instanceof AppError
          ? fail(error.code, error.message)
          : (this.#options.log.error("call failed", { method, error }),
            fail("InternalError", `${method} failed`)),
    ).finally(() => this.#running--);
  }

  #answered(message: Message): void {
    const waiting = this.#calls?.get(message.id as number);
    if (!waiting) return;
    if (message.ok === true) return waiting.resolve(message.body);
    const { code, message: text } = (message.error ?? {}) as Partial<WireError>;
    waiting.reject(new AppError(knownCode(code), String(text ?? "the peer refused")));
  }

  /** Sends without waiting for room: heartbeats and answers, which are few and small. */
  #sendNow(message: Message): void {
    this.send(message).catch(() => {/* the session is over; its readers are told */});
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat.stop();
    this.#probing?.[Symbol.dispose]();
    this.#serving?.abort(ended(this.peer.name));
    for (const { reject } of this.#calls?.values() ?? []) reject(ended(this.peer.name));
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(undefined);
  }
}

function ended(name: string): AppError {
  return new AppError("ServiceUnavailable", `the session with ${name} has ended`);
}

const CODES: readonly ErrorCode[] = [
  "BadRequest",
  "Unauthorized",
  "Forbidden",
  "NotFound",
  "MethodNotAllowed",
  "AlreadyExists",
  "Conflict",
  "Expired",
  "Invalid",
  "RequestEntityTooLarge",
  "UnsupportedMediaType",
  "TooManyRequests",
  "Timeout",
  "ServiceUnavailable",
  "Unsupported",
];

/** A code that came over the link; what we do not know is `InternalError`. */
export function knownCode(code: unknown): ErrorCode {
  return CODES.find((known) => known === code) ?? "InternalError";
}
