import type { KubeObject } from "../api/mod.ts";
import {
  type Backoff,
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  type Logger,
  minutes,
  type Ms,
  ms,
  type Random,
  seconds,
  type Service,
  WorkQueue,
} from "../base/mod.ts";
import type { Change, View } from "./view.ts";

/** What tells of objects: a {@linkcode View}, or several in one. */
export interface Watched {
  readonly synced: Promise<unknown>;
  all(): readonly KubeObject[];
  subscribe(listener: (change: Change<KubeObject>) => void): Disposable;
}

/** A kind whose changes make keys due. */
export interface Trigger {
  readonly view: Watched;
  /**
   * The keys that a change of `object` concerns. Called for the state before and after; `gone` when
   * there is no state after. Must not throw.
   */
  readonly keys: (object: KubeObject, gone: boolean) => Iterable<string>;
}

/** What makes a {@linkcode Trigger} for a typed view. */
export function trigger<T extends KubeObject>(
  view: View<T>,
  keys: (object: T, gone: boolean) => Iterable<string>,
): Trigger {
  // A view is only read through here; the types meet again in `keys`.
  return { view: view as unknown as View, keys: keys as Trigger["keys"] };
}

/** Options of {@linkcode createController}. */
export interface ControllerOptions {
  readonly name: string;
  readonly triggers: readonly Trigger[];
  /**
   * Makes the world as it should be for one key. Called again after changes, after a failure (with
   * back-off), after the returned delay, and every `resync`.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Ms | void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** @default {4} */
  readonly workers?: number;
  /** @default {10 min} */
  readonly resync?: Ms;
  /** @default {50 ms doubling to 60 s} */
  readonly backoff?: Backoff;
}

const BACKOFF: Backoff = { base: ms(50), cap: seconds(60) };

/** A service that keeps calling `reconcile` with the keys that may need it. */
export function createController(options: ControllerOptions): Service {
  return {
    name: options.name,
    onFailure: "restart",
    async run(signal, ready) {
      // Deciding on a half-read picture would make and remove what is there already.
      if (!await synced(options.triggers.map(({ view }) => view), signal)) return;
      const queue = new WorkQueue({ ...options, backoff: options.backoff ?? BACKOFF });
      using cleanup = new DisposableStack();
      for (const { view, keys } of options.triggers) {
        const add = (state: KubeObject | undefined, gone: boolean): void => {
          if (state) { for (const key of keys(state, gone)) queue.add(key); }
        };
        cleanup.use(view.subscribe(({ object, before }) => {
          add(before, object === undefined);
          add(object, false);
        }));
        for (const object of view.all()) add(object, false);
      }
      cleanup.use(resync(options, queue));
      ready();
      await queue.run((key) => options.reconcile(key, signal), {
        workers: options.workers ?? 4,
        signal,
        onError: (key, error) => logFailure(options, key, error),
      });
    },
  };
}

function logFailure({ log, name }: ControllerOptions, key: string, error: unknown): void {
  // A conflict says only that somebody was faster; the next try sees their work.
  const level = isAppError(error, "Conflict") ? "debug" : failureLevel(error);
  log[level]("reconcile failed, trying again", { controller: name, key, error: errorText(error) });
}

function resync(options: ControllerOptions, queue: WorkQueue): Disposable {
  const every = options.resync ?? minutes(10);
  const tick = (): void => {
    for (const { view, keys } of options.triggers) {
      for (const object of view.all()) for (const key of keys(object, false)) queue.add(key);
    }
    timer = options.clock.timer(every, tick);
  };
  let timer = options.clock.timer(every, tick);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** Waits until all of `views` are synced. Returns whether that came before `signal` aborted. */
async function synced(views: readonly Watched[], signal: AbortSignal): Promise<boolean> {
  const stopped = Promise.withResolvers<void>();
  const onAbort = (): void => stopped.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([Promise.all(views.map((view) => view.synced)), stopped.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return !signal.aborted;
}
