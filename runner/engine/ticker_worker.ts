/** What the ticker's Worker is told. The numbers in `state` are shared with it. */
export interface TickerInit {
  readonly library: string;
  /** Address of the engine. */
  readonly engine: bigint;
  /** Milliseconds. */
  readonly tick: number;
  /** Three words: calls in flight, whether the Worker sleeps, whether it is to end. */
  readonly state: SharedArrayBuffer;
}

/** What the Worker's global scope offers, as far as it is used. */
interface Scope {
  onmessage: ((event: MessageEvent<TickerInit>) => void) | null;
  postMessage(message: unknown): void;
}

/**
 * The body of the Worker behind `Ticker`: increments an engine's epoch while calls are in flight.
 * Its text becomes the Worker's source (a `data:` URL), so that the runner needs no permission to
 * read files of the program; therefore it may use nothing of this module.
 */
export function tickerWorker(): void {
  const scope = globalThis as unknown as Scope;
  // deno-lint-ignore skerry/time -- real time by nature, and nothing can be imported here
  const monotonic = (): number => performance.now();
  const [active, asleep, closed] = [0, 1, 2] as const;
  /** Ticks without a call after which the Worker sleeps until the next call. */
  const linger = 20;
  scope.onmessage = ({ data: { library: path, engine, tick, state } }) => {
    const library = Deno.dlopen(path, {
      wasmtime_engine_increment_epoch: { parameters: ["u64"], result: "void" },
    });
    const words = new Int32Array(state);
    const pause = new Int32Array(new SharedArrayBuffer(4));
    scope.postMessage("ready");
    let idle = 0;
    let next = monotonic();
    while (Atomics.load(words, closed) === 0) {
      if (idle >= linger) {
        Atomics.store(words, asleep, 1);
        // Returns at once when a call began after the last look, so no call goes without ticks.
        Atomics.wait(words, active, 0);
        Atomics.store(words, asleep, 0);
        idle = 0;
        next = monotonic();
      }
      // Ticks keep to the clock: a late one does not make all that follow late.
      next += tick;
      Atomics.wait(pause, 0, 0, Math.max(0, next - monotonic()));
      library.symbols.wasmtime_engine_increment_epoch(engine);
      idle = Atomics.load(words, active) > 0 ? 0 : idle + 1;
    }
    library.close();
    scope.postMessage("closed");
  };
}
