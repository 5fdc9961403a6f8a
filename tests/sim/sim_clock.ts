import { setImmediate } from "node:timers";
import type { Clock, Ms } from "../../core/base/mod.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

const START = Date.UTC(2026, 0, 1);

/**
 * Virtual time for the simulation. Unlike `VirtualClock` it lets everything that can run without
 * time passing run to its end, however long the chain: after each timer one turn of the event loop.
 */
export class SimClock implements Clock {
  #now = START;
  #order = 0;
  readonly #heap: Entry[] = [];
  readonly #dropped = new Set<Entry>();

  now(): Ms {
    return Math.floor(this.#now) as Ms;
  }

  monotonic(): Ms {
    return (this.#now - START) as Ms;
  }

  timer(delay: Ms, fn: () => void): Disposable {
    const entry = { at: this.#now + Math.max(0, delay), order: this.#order++, fn };
    this.#push(entry);
    return { [Symbol.dispose]: () => void this.#dropped.add(entry) };
  }

  /** Moves time forward by `span`, firing what falls due on the way. */
  async advance(span: number): Promise<void> {
    const end = this.#now + span;
    await turn();
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      if (this.#dropped.delete(next)) continue;
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await turn();
    }
    this.#now = end;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    heap.push(entry);
    for (let i = heap.length - 1; i > 0;) {
      const up = (i - 1) >> 1;
      if (!before(heap, i, up)) break;
      swap(heap, i, up);
      i = up;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    swap(heap, 0, heap.length - 1);
    heap.pop();
    for (let i = 0;;) {
      const left = 2 * i + 1;
      const least = left + 1 < heap.length && before(heap, left + 1, left) ? left + 1 : left;
      if (least >= heap.length || !before(heap, least, i)) break;
      swap(heap, i, least);
      i = least;
    }
  }
}

function before(heap: readonly Entry[], a: number, b: number): boolean {
  const [x, y] = [heap[a], heap[b]];
  if (!x || !y) return false;
  return x.at === y.at ? x.order < y.order : x.at < y.at;
}

function swap(heap: Entry[], a: number, b: number): void {
  const [x, y] = [heap[a], heap[b]];
  if (x && y) [heap[a], heap[b]] = [y, x];
}

/** One turn of the event loop: the microtask queue runs empty first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
