import { AppError, type Clock, isAppError, type Ms, ms } from "../base/mod.ts";
import { frameSize } from "./codec.ts";
import {
  type Acceptor,
  CLOSE,
  type Closed,
  type Connection,
  type Dialer,
  type Frame,
  LINK,
  type Peer,
} from "./link.ts";

/** Options of {@linkcode MemoryNetwork}. */
export interface MemoryNetworkOptions {
  readonly clock: Clock;
  /** Delay of one frame, asked for each; order is kept whatever it says. @default {0: at once} */
  readonly latency?: () => Ms;
  /** Whether this frame arrives twice. Only for what the protocol must bear. @default {never} */
  readonly duplicate?: (frame: Frame) => boolean;
}

type Handler = (connection: Connection, path: string) => void;

/** Bytes that may be on the way or unread before `send` waits. */
const HIGH_WATER = 256 * 1024;

/**
 * A network inside the process, between one hub and its nodes: the transport of tests and of
 * `tests/sim`. It is deterministic, keeps order, and can fail as networks do.
 */
export class MemoryNetwork implements Acceptor, Disposable {
  readonly options: MemoryNetworkOptions;
  readonly #open = new Set<End>();
  readonly #refused = new Set<string>();
  readonly #timers = new Set<Disposable>();
  #handler: Handler | undefined;

  constructor(options: MemoryNetworkOptions) {
    this.options = options;
  }

  /** The hub listens: connections go to `handler`. */
  onConnection(handler: Handler): void {
    this.#handler = handler;
  }

  /** The hub is gone: all connections break, and nobody answers until `onConnection`. */
  hubDown(): void {
    this.#handler = undefined;
    for (const end of [...this.#open]) end.break();
  }

  /** The dialer of the node that `peer` names. */
  dialer(peer: Peer): Dialer {
    return { dial: (path, signal) => this.#dial(peer, path, signal) };
  }

  /** All connections of the node break; both sides notice (code 1006). */
  cut(node: string): void {
    for (const end of [...this.#open]) if (end.node === node) end.break();
  }

  /** The connections of the node swallow everything from now on; neither side is told. */
  halfOpen(node: string): void {
    for (const end of this.#open) if (end.node === node) end.swallow();
  }

  /** Whether the node's dials fail. */
  refuse(node: string, refused: boolean): void {
    if (refused) this.#refused.add(node);
    else this.#refused.delete(node);
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#open.size / 2;
  }

  /** Breaks everything; what is on the way is dropped. */
  [Symbol.dispose](): void {
    this.hubDown();
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
  }

  /** Calls `arrive` after `delay`. @internal */
  later(delay: Ms, arrive: () => void): void {
    const timer = this.options.clock.timer(delay, () => {
      this.#timers.delete(timer);
      arrive();
    });
    this.#timers.add(timer);
  }

  async #dial(peer: Peer, path: string, signal: AbortSignal): Promise<Connection> {
    const { clock, latency } = this.options;
    if (latency) {
      const arrived = Promise.withResolvers<void>();
      const onAbort = (): void => arrived.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      using _timer = clock.timer(ms(latency() + latency()), arrived.resolve);
      if (signal.aborted) onAbort();
      try {
        await arrived.promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    }
    signal.throwIfAborted();
    const handler = this.#handler;
    if (!handler || this.#refused.has(peer.name)) {
      throw new AppError("ServiceUnavailable", `the hub does not answer ${peer.name}`);
    }
    const gone = (end: End): void => void this.#open.delete(end);
    const ours = new End(
      this,
      { name: "hub", fingerprint: "hub", remote: "hub" },
      peer.name,
      gone,
    );
    const theirs = new End(this, peer, peer.name, gone);
    ours.join(theirs);
    this.#open.add(ours).add(theirs);
    try {
      handler(theirs, path);
    } catch (cause) {
      ours.break();
      const code = isAppError(cause, "Forbidden") ? "Forbidden" : "ServiceUnavailable";
      throw new AppError(code, `the hub refused ${path}`, { cause });
    }
    return ours;
  }
}

class End implements Connection {
  readonly closed: Promise<Closed>;
  #other!: End;
  readonly #resolveClosed: (closed: Closed) => void;
  #inbox: Frame[] = [];
  #reader: ((frame: Frame | undefined) => void) | undefined;
  #room: (() => void)[] = [];
  #unread = 0;
  #arrivesAt = 0;
  #swallowing = false;
  #over = false;

  readonly network: MemoryNetwork;
  readonly peer: Peer;
  readonly node: string;
  readonly gone: (end: End) => void;

  constructor(
    network: MemoryNetwork,
    peer: Peer,
    node: string,
    gone: (end: End) => void,
  ) {
    this.network = network;
    this.peer = peer;
    this.node = node;
    this.gone = gone;
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  join(other: End): void {
    this.#other = other;
    other.#other = this;
  }

  async send(frame: Frame): Promise<void> {
    const size = frameSize(frame);
    if (size > LINK.frameCap) {
      throw new AppError(
        "RequestEntityTooLarge",
        `frame of ${size} bytes, at most ${LINK.frameCap}`,
      );
    }
    if (this.#over) throw unavailable();
    this.#unread += size;
    const copy = typeof frame === "string" ? frame : frame.slice();
    this.#deliver(() => this.#other.#arrive(copy, size));
    if (this.network.options.duplicate?.(frame)) {
      this.#unread += size;
      this.#deliver(() => this.#other.#arrive(copy, size));
    }
    while (this.#unread > HIGH_WATER && !this.#over) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    if (this.#over) throw unavailable();
  }

  receive(): Promise<Frame | undefined> {
    const frame = this.#inbox.shift();
    if (frame !== undefined) {
      this.#other.#consumed(frameSize(frame));
      return Promise.resolve(frame);
    }
    if (this.#over) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#reader = resolve);
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    const closed = { code, reason };
    this.#deliver(() => this.#other.#end(closed));
    this.#inbox = [];
    this.#end(closed);
  }

  /** Both sides see the connection break now; what is on the way is lost. */
  break(): void {
    const closed = { code: CLOSE.broken, reason: "connection broke" };
    this.swallow();
    this.#other.#end(closed);
    this.#end(closed);
  }

  /** From now on nothing arrives in either direction. */
  swallow(): void {
    this.#swallowing = this.#other.#swallowing = true;
  }

  #deliver(arrive: () => void): void {
    const { clock, latency } = this.network.options;
    const swallowed = (): void => this.#swallowing ? undefined : arrive();
    if (!latency) return swallowed();
    const now = clock.monotonic();
    this.#arrivesAt = Math.max(this.#arrivesAt, now + latency());
    this.network.later(ms(this.#arrivesAt - now), swallowed);
  }

  #arrive(frame: Frame, size: number): void {
    if (this.#over) return;
    const reader = this.#reader;
    if (!reader) return void this.#inbox.push(frame);
    this.#reader = undefined;
    this.#other.#consumed(size);
    reader(frame);
  }

  #consumed(size: number): void {
    this.#unread -= size;
    if (this.#unread <= HIGH_WATER) { for (const resolve of this.#room.splice(0)) resolve(); }
  }

  #end(closed: Closed): void {
    if (this.#over) return;
    this.#over = true;
    this.gone(this);
    this.#resolveClosed(closed);
    for (const resolve of this.#room.splice(0)) resolve();
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(undefined);
  }
}

function unavailable(): AppError {
  return new AppError("ServiceUnavailable", "the connection is closed");
}
