import { AppError, type Clock, deadline, type Ms, unlessAborted } from "../../core/base/mod.ts";
import { CLOSE, type Connection, createStream, knownCode, LINK } from "../../core/link/mod.ts";
import type { OpenedStream } from "./options.ts";

/** Options of {@linkcode Streams}. */
export interface StreamsOptions {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly heartbeat?: Ms;
}

interface Expected {
  readonly node: string;
  readonly arrived: (connection: Connection) => void;
}

/** The streams that the hub has asked nodes to dial. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #expected = new Map<string, Expected>();
  readonly #open = new Map<string, number>();

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** How many streams of the node are open or expected. */
  count(node: string): number {
    return this.#open.get(node) ?? 0;
  }

  /** How many streams of all nodes are open or expected. */
  get size(): number {
    let sum = 0;
    for (const count of this.#open.values()) sum += count;
    return sum;
  }

  /** Takes a connection that a node dialled for stream `id`. Returns false when nobody waits for it. */
  take(connection: Connection, id: string): boolean {
    const expected = this.#expected.get(id);
    // The id is a secret between the hub and one node; another node must not even use it up.
    if (!expected || expected.node !== connection.peer.name) return false;
    this.#expected.delete(id);
    expected.arrived(connection);
    return true;
  }

  /**
   * Asks a node for a stream through `ask(id)` and waits for it.
   *
   * @throws {AppError} Timeout, TooManyRequests, ServiceUnavailable, and what the node answers
   */
  async open(
    node: string,
    ask: (id: string) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    if (this.count(node) >= LINK.streamsPerNode) {
      throw new AppError("TooManyRequests", `node ${node} has ${this.count(node)} streams open`);
    }
    this.#open.set(node, this.count(node) + 1);
    let stream: OpenedStream | undefined;
    try {
      stream = await this.#wait(node, ask, signal);
      void stream.closed.then(() => this.#release(node));
      return stream;
    } finally {
      if (!stream) this.#release(node);
    }
  }

  #release(node: string): void {
    const left = this.count(node) - 1;
    if (left > 0) this.#open.set(node, left);
    else this.#open.delete(node);
  }

  async #wait(
    node: string,
    ask: (id: string) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const { clock, heartbeat, newId } = this.#options;
    const id = newId();
    using limit = deadline(
      clock,
      LINK.openTimeout,
      () => new AppError("Timeout", `node ${node} did not open the stream in time`),
      signal,
    );
    const arrived = Promise.withResolvers<Connection>();
    try {
      this.#expected.set(id, { node, arrived: arrived.resolve });
      ask(id).catch(arrived.reject);
      const connection = await unlessAborted(arrived.promise, limit.signal);
      const first = await unlessAborted(connection.receive(), limit.signal);
      const head = readStreamHead(node, first);
      const stream = createStream(connection, { clock, ...(heartbeat ? { heartbeat } : {}) });
      return Object.assign(stream, { head });
    } catch (error) {
      // It may have come in the very moment in which it was given up.
      arrived.promise.then((late) => late.close(CLOSE.bye, "not opened"), () => {});
      throw error;
    } finally {
      this.#expected.delete(id);
    }
  }
}

interface Answer extends Readonly<Record<string, unknown>> {
  readonly ok?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

/**
 * Reads the first message of a stream that was asked for.
 *
 * @throws {AppError} what the node answers instead of a stream
 */
export function readStreamHead(node: string, first: unknown): Readonly<Record<string, unknown>> {
  if (first === undefined) {
    throw new AppError("ServiceUnavailable", `node ${node} closed the stream`);
  }
  let answer: Answer | undefined;
  try {
    if (typeof first === "string" && first.length <= 4096) answer = JSON.parse(first);
  } catch {
    // Handled below like every other answer that is none.
  }
  if (answer?.ok === true) return answer;
  const { code, message } = answer?.error ?? {};
  if (typeof message !== "string") {
    throw new AppError("InternalError", `node ${node} answered the stream with rubbish`);
  }
  throw new AppError(knownCode(code), message);
}
