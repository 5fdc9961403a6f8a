import type { Ms } from "../../core/base/mod.ts";
import type { Engine } from "./engine.ts";
import { type TickerInit, tickerWorker } from "./ticker_worker.ts";

/** Places in the shared state, as `TickerInit` names them. */
const ACTIVE = 0, ASLEEP = 1, CLOSED = 2;

/**
 * Moves an engine's epoch every tick while calls are in flight, from a Worker, because a call
 * blocks the thread that makes it and no timer of that thread fires. Sleeps while nothing runs, so
 * an idle runner wakes the processor for nothing.
 */
export class Ticker implements AsyncDisposable {
  /** Length of a tick. */
  readonly tick: Ms;
  readonly #state = new SharedArrayBuffer(12);
  readonly #words = new Int32Array(this.#state);
  readonly #engine: Engine;
  readonly #library: string;
  #worker: Worker | undefined;
  #closed: Promise<void> = Promise.resolve();

  constructor(options: { engine: Engine; library: string; tick: Ms }) {
    this.#engine = options.engine;
    this.#library = options.library;
    this.tick = options.tick;
  }

  /** Starts the Worker, once. Resolves when it ticks. No call may be made before that. */
  async start(): Promise<void> {
    if (this.#worker) return;
    const source = `(${tickerWorker.toString()})()`;
    const url = `data:application/javascript,${encodeURIComponent(source)}`;
    const worker = new Worker(url, { type: "module", name: "epoch-ticker" });
    this.#worker = worker;
    const ready = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    this.#closed = closed.promise;
    worker.onmessage = (event) => (event.data === "closed" ? closed : ready).resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      closed.resolve();
      ready.reject(new Error(`the epoch ticker failed: ${event.message}`));
    };
    const init: TickerInit = {
      library: this.#library,
      engine: BigInt(Deno.UnsafePointer.value(this.#engine.pointer)),
      tick: this.tick,
      state: this.#state,
    };
    worker.postMessage(init);
    await ready.promise;
  }

  /** Says that a call begins. */
  enter(): void {
    Atomics.add(this.#words, ACTIVE, 1);
    if (Atomics.load(this.#words, ASLEEP) === 1) Atomics.notify(this.#words, ACTIVE);
  }

  /** Says that a call has ended. */
  leave(): void {
    Atomics.sub(this.#words, ACTIVE, 1);
  }

  /** Resolves when the Worker touches the engine no more; only then may the engine be freed. */
  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#words, CLOSED, 1);
    Atomics.add(this.#words, ACTIVE, 1);
    Atomics.notify(this.#words, ACTIVE);
    await this.#closed;
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
