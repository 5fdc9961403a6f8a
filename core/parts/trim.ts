import { type Clock, minutes, type Ms, ms, seconds } from "../base/mod.ts";

/** The heap as V8 counts it, in bytes. */
export interface HeapUse {
  /** What V8 holds of the machine's memory. */
  readonly heapTotal: number;
  /** What objects fill of that, reachable or not. */
  readonly heapUsed: number;
}

/** What {@linkcode startTrimming} works with. */
export interface TrimOptions {
  readonly clock: Clock;
  readonly heap: () => HeapUse;
  /** Collects all garbage and gives free pages back. Takes about 1 ms a MiB, in which nothing else runs. */
  readonly collect: () => void;
}

/** What a start leaves behind (module sources, one-time objects) is garbage by then. */
const FIRST = seconds(30);
const BETWEEN = minutes(1);
/** Pauses are at most this part of all time: the larger the heap, the rarer they are. */
const SHARE = 1 / 1000;
/** Less growth than this is not worth the pause. */
const GROWTH = 4 * 1024 * 1024;

/** Whether the heap has grown enough since the last collection, if there was one. */
export function trimDue(after: HeapUse | undefined, now: HeapUse): boolean {
  return after === undefined || now.heapTotal >= after.heapTotal + GROWTH;
}

/**
 * Gives unused heap back to the machine: V8 by itself keeps the pages that a burst of work filled
 * for as long as a process is quiet. Once some time after the start, then whenever the heap has
 * grown by 4 MiB, at most once a minute and for a thousandth of the time. Dispose it to end it.
 */
export function startTrimming({ clock, heap, collect }: TrimOptions): Disposable {
  let after: HeapUse | undefined;
  let timer: Disposable;
  const later = (wait: Ms): void => {
    timer = clock.timer(wait, () => {
      const from = clock.monotonic();
      if (trimDue(after, heap())) {
        collect();
        after = heap();
      }
      later(ms(Math.max(BETWEEN, (clock.monotonic() - from) / SHARE)));
    });
  };
  later(FIRST);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/**
 * V8's own collector when the process was started with `--expose-gc`, `undefined` otherwise. Only
 * its last resort compacts and frees pages.
 */
export function exposedCollector(): (() => void) | undefined {
  const { gc } = globalThis as { gc?: (options: Readonly<Record<string, string>>) => void };
  return gc && (() => gc({ type: "major", execution: "sync", flavor: "last-resort" }));
}
