import { type Ms, ms } from "./units.ts";

/**
 * Time as a dependency. Everything that waits or reads the time gets a `Clock`, so that tests and
 * `tests/sim` can run on virtual time ({@linkcode VirtualClock}).
 */
export interface Clock {
  /** The wall clock. */
  now(): Ms;
  /** A clock that never goes back; only differences mean anything. */
  monotonic(): Ms;
  /** Calls `fn` once after `delay`; disposing the result before that prevents the call. */
  timer(delay: Ms, fn: () => void): Disposable;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now() as Ms,
  monotonic: () => performance.now() as Ms,
  timer(delay, fn) {
    // setTimeout fires at once above 2^31-1 ms; a longer wait is cut into steps.
    let handle: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      const step = Math.min(left, 0x7fffffff);
      handle = setTimeout(() => left > step ? arm(left - step) : fn(), step);
    };
    arm(Math.max(0, delay));
    return { [Symbol.dispose]: () => clearTimeout(handle) };
  },
};

/** Waits for `delay`. Rejects with the signal's reason when `signal` aborts first. */
export function sleep(clock: Clock, delay: Ms, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    const timer = clock.timer(delay, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves when `signal` aborts, or at once when it already has. Never rejects. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What `promise` comes to, or a rejection with the reason of `signal` as soon as that aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A timer that fires so much later than it should was held up, with all else in its process. */
const LATE = 500;
/** Wait, after having been held up, until what came meanwhile has been read. */
export const SECOND_LOOK = 1000 as Ms;

/**
 * Whether a timer that was to fire at `due` (monotonic) fires late, because the process was stopped or
 * had too much else to do. What it waited for may have come in time then, and lies unread.
 */
export function isLate(clock: Clock, due: Ms): boolean {
  return clock.monotonic() - due > LATE;
}

/** {@linkcode Clock.timer} for what gives somebody up: one that fires late waits a second more, once. */
export function patientTimer(clock: Clock, delay: Ms, fn: () => void): Disposable {
  const due = clock.monotonic() + delay as Ms;
  let timer = clock.timer(delay, () => {
    if (isLate(clock, due)) timer = clock.timer(SECOND_LOOK, fn);
    else fn();
  });
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** A signal that aborts when `delay` has passed or when `parent` aborts. Dispose it when done. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Begins anew, with `delay` from now. */
  restart(delay: Ms): void;
}

/**
 * A signal that aborts with `reason()` after `delay`, or with `parent`'s reason when that aborts. A
 * process that was held up meanwhile reads first what has come ({@linkcode patientTimer}).
 * Use with `using`, so that neither the timer nor the listener outlives the call.
 */
export function deadline(
  clock: Clock,
  delay: Ms,
  reason: () => unknown,
  parent?: AbortSignal,
): Deadline {
  const controller = new AbortController();
  const onParent = (): void => controller.abort(parent?.reason);
  if (parent?.aborted) controller.abort(parent.reason);
  parent?.addEventListener("abort", onParent, { once: true });
  const start = (delay: Ms): Disposable =>
    patientTimer(clock, delay, () => controller.abort(reason()));
  let timer = start(delay);
  return {
    signal: controller.signal,
    restart(delay) {
      timer[Symbol.dispose]();
      timer = start(delay);
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      parent?.removeEventListener("abort", onParent);
    },
  };
}

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/**
 * A clock that stands still until {@linkcode VirtualClock.advance} moves it. Timers fire in order
 * of time, then of creation, each followed by enough turns of the microtask queue for the code
 * that waited on it to run as far as it can.
 */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  /** How far the wall clock is from where it would be, had nobody set it. */
  #set = 0;
  readonly #start: number;
  readonly #pending = new Set<Pending>();

  constructor(start: Ms = ms(Date.UTC(2026, 0, 1))) {
    this.#now = start;
    this.#start = start;
  }

  now(): Ms {
    return (this.#now + this.#set) as Ms;
  }

  /** Sets the wall clock alone, as an administrator or NTP does: no timer fires for it. */
  setWall(to: Ms): void {
    this.#set = to - this.#now;
  }

  monotonic(): Ms {
    return (this.#now - this.#start) as Ms;
  }

  timer(delay: Ms, fn: () => void): Disposable {
    const entry = { at: this.#now + Math.max(0, delay), order: this.#order++, fn };
    this.#pending.add(entry);
    return { [Symbol.dispose]: () => void this.#pending.delete(entry) };
  }

  /** How many timers wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Moves time forward by `span`, firing what falls due on the way. */
  async advance(span: Ms): Promise<void> {
    const end = this.#now + span;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.at > end) continue;
      if (!best || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) {
        best = entry;
      }
    }
    return best;
  }
}

/** Lets everything that can run without time passing run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 64; turn++) await Promise.resolve();
}
