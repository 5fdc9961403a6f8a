import {
  type Backoff,
  backoffDelay,
  type Clock,
  type Ms,
  ms,
  type Random,
  seconds,
} from "../base/mod.ts";
import { LINK, type Message } from "../link/mod.ts";
import type { LocalStore, Row, Tx } from "../store/mod.ts";
import type { Result } from "./messages.ts";
import { SeqTimes } from "./seq_times.ts";

/** Side rows: one per intent that the hub has not answered, by the intent's key. */
export const OUTBOX_SPACE = "outbox";

/** Something that the hub is to write (docs/protocol.md 5). */
export interface NewIntent {
  /** A newer intent with this key replaces an older one, e.g. `pod-status/<uid>`. */
  readonly key: string;
  readonly kind: string;
  /** JSON. */
  readonly body: unknown;
}

/** Options of {@linkcode Outbox}. */
export interface OutboxOptions {
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of an intent that the hub refused for good; its row is gone. */
  readonly onRefused?: (intent: NewIntent, error: NonNullable<Result["error"]>) => void;
  /** Told of the key of an intent that the hub has written. */
  readonly onApplied?: (key: string) => void;
}

/** Wait before an intent that the hub could not write is sent again. */
const RETRY: Backoff = { base: seconds(1), cap: seconds(60) };

/** The session that an {@linkcode Outbox} sends on. */
export interface OutboxSession {
  /** Sends one message; resolves when there is room for more. */
  send(message: Message): Promise<unknown>;
  /** Sending failed: end the session, so that the next one starts afresh. */
  fail(error: unknown): void;
}

/**
 * Events that may wait for a hub that is away. Statuses coalesce by object and are bounded by what
 * the node has; events are not, and of many the newest tell most.
 */
const EVENTS_KEPT = 1000;
/** How seldom they are counted, in rows written. */
const EVENTS_CHECK = 64;

/** How an {@linkcode Outbox} stands. */
export interface OutboxState {
  /** Rows that the hub has not answered. */
  readonly rows: number;
  /** Those of them that were sent in this session. */
  readonly unanswered: number;
  /** Age of the oldest row, since this process began at most. */
  readonly age: Ms;
}

interface Sent {
  readonly key: string;
  readonly size: number;
}

/**
 * What a node has to tell the hub, kept in its store until the hub has it: written in the
 * transaction of what it describes, sent in order, removed only by a result with its own `seq`.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sent = new Map<number, Sent>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<Disposable>();
  /** Keys that the hub asked to send again, and whose wait is over. */
  #again: { readonly key: string; readonly seq: number }[] = [];
  readonly #times: SeqTimes;
  #after = 0;
  #bytes = 0;
  #session: OutboxSession | undefined;
  #scheduled = false;
  #pumping = false;
  #more = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#times = new SeqTimes(options.clock.monotonic());
  }

  /** Adds or replaces an intent, in the transaction of the state that it describes. */
  enqueue(tx: Tx, intent: NewIntent): void {
    const value = JSON.stringify({ kind: intent.kind, body: intent.body });
    const { seq } = tx.putRow(OUTBOX_SPACE, intent.key, value);
    this.#times.note(seq, this.#options.clock.monotonic());
    if (intent.kind === "event" && seq % EVENTS_CHECK === 0) dropOldEvents(tx);
    if (this.#scheduled) return;
    // The transaction is synchronous: in the next turn it has committed, or nothing is found.
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#kick();
    });
  }

  /** Whether the hub has answered everything. */
  get isEmpty(): boolean {
    return this.#options.store.transact((tx) => tx.rows(OUTBOX_SPACE, { limit: 1 })).length === 0;
  }

  /** What waits for the hub's answer. Reads all rows: for whoever looks now and then. */
  measure(): OutboxState {
    const [oldest, ...others] = this.#options.store.transact((tx) => tx.rows(OUTBOX_SPACE));
    const now = this.#options.clock.monotonic();
    return {
      rows: oldest ? 1 + others.length : 0,
      unanswered: this.#sent.size,
      age: ms(oldest ? now - this.#times.at(oldest.seq) : 0),
    };
  }

  /** A session is up: sends every row, then what comes. */
  attach(session: OutboxSession): void {
    this.detach();
    this.#session = session;
    this.#kick();
  }

  /** The session is over. */
  detach(): void {
    this.#session = undefined;
    this.#sent.clear();
    this.#again = [];
    this.#after = 0;
    this.#bytes = 0;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
  }

  /**
   * Takes a result in a transaction of the caller. Returns what to do once it has committed.
   * A result for something that this session did not send is ignored.
   */
  result(tx: Tx, result: Result): () => void {
    const sent = this.#sent.get(result.seq);
    if (!sent) return () => {};
    if (result.ok || !result.error?.retry) {
      const row = tx.row(OUTBOX_SPACE, sent.key);
      tx.deleteRow(OUTBOX_SPACE, sent.key, result.seq);
      return () => {
        this.#failures.delete(sent.key);
        this.#settled(result.seq);
        if (result.ok) this.#options.onApplied?.(sent.key);
        else if (result.error && row?.seq === result.seq) {
          this.#options.onRefused?.({ key: sent.key, ...readRow(row) }, result.error);
        }
      };
    }
    return () => {
      this.#settled(result.seq);
      this.#retryLater(sent.key, result.seq);
    };
  }

  #settled(seq: number): void {
    this.#bytes -= this.#sent.get(seq)?.size ?? 0;
    this.#sent.delete(seq);
    this.#kick();
  }

  #retryLater(key: string, seq: number): void {
    const { clock, random } = this.#options;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const wait = ms(100 + backoffDelay(RETRY, failures, random));
    const timer = clock.timer(wait, () => {
      this.#timers.delete(timer);
      this.#again.push({ key, seq });
      this.#kick();
    });
    this.#timers.add(timer);
  }

  #kick(): void {
    this.#more = true;
    if (this.#pumping || !this.#session) return;
    this.#pumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    while (this.#more && this.#session) {
      this.#more = false;
      const session = this.#session;
      try {
        for (const row of this.#next()) {
          if (this.#bytes >= LINK.windowBytes) break;
          await this.#sendRow(row, session);
          // A newer session starts from the first row.
          if (this.#session !== session) break;
        }
      } catch (error) {
        if (this.#session === session) session.fail(error);
        // Another session may be up by now, and its kick was left to this loop.
        if (this.#session === session) break;
      }
    }
    this.#pumping = false;
  }

  async #sendRow(row: Row, session: OutboxSession): Promise<void> {
    const size = row.value.length;
    this.#sent.set(row.seq, { key: row.key, size });
    this.#bytes += size;
    this.#after = Math.max(this.#after, row.seq);
    // There may be more rows than were read.
    this.#more = true;
    await session.send({ t: "intent", seq: row.seq, key: row.key, ...readRow(row) });
  }

  /** The next rows to send, as many as the window has room for. */
  #next(): Row[] {
    const limit = LINK.intentWindow - this.#sent.size;
    if (limit <= 0 || this.#bytes >= LINK.windowBytes) return [];
    return this.#options.store.transact((tx) => {
      const rows: Row[] = [];
      while (rows.length < limit) {
        const again = this.#again.shift();
        if (!again) break;
        const row = tx.row(OUTBOX_SPACE, again.key);
        // A newer row of the key has its own turn.
        if (row?.seq === again.seq) rows.push(row);
      }
      if (rows.length > 0) return rows;
      return tx.rows(OUTBOX_SPACE, { afterSeq: this.#after, limit });
    });
  }
}

function dropOldEvents(tx: Tx): void {
  const events = tx.rows(OUTBOX_SPACE).filter(({ key }) => key.startsWith("event/"));
  for (const { key } of events.slice(0, Math.max(0, events.length - EVENTS_KEPT))) {
    tx.deleteRow(OUTBOX_SPACE, key);
  }
}

function readRow(row: Row): { kind: string; body: unknown } {
  return JSON.parse(row.value) as { kind: string; body: unknown };
}
