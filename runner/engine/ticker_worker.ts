/// <reference lib="deno.worker" />
/** The Worker behind `Ticker`: increments the epoch of an engine while calls are in flight. */
import { ACTIVE, ASLEEP, CLOSED, type TickerInit } from "./ticker.ts";

/** Ticks without a call after which the Worker sleeps until the next call. */
const LINGER = 20;

function run(init: TickerInit): void {
  const library = Deno.dlopen(init.library, {
    wasmtime_engine_increment_epoch: { parameters: ["u64"], result: "void" },
  });
  const words = new Int32Array(init.state);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let idle = 0;
  while (Atomics.load(words, CLOSED) === 0) {
    if (idle >= LINGER) {
      Atomics.store(words, ASLEEP, 1);
      // Returns at once when a call began after the last look, so no call goes without ticks.
      Atomics.wait(words, ACTIVE, 0);
      Atomics.store(words, ASLEEP, 0);
      idle = 0;
    }
    Atomics.wait(pause, 0, 0, init.tick);
    library.symbols.wasmtime_engine_increment_epoch(init.engine);
    idle = Atomics.load(words, ACTIVE) > 0 ? 0 : idle + 1;
  }
  library.close();
  self.postMessage("closed");
}

self.onmessage = (event: MessageEvent<TickerInit>): void => {
  self.postMessage("ready");
  run(event.data);
};
