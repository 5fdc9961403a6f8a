import { type Clock, type Logger, type Ms, ms } from "../../core/base/mod.ts";
import type { ModuleCache } from "../cache/mod.ts";
import type { Invocation, Invoker, InvokeResult } from "../engine/mod.ts";
import type { FunctionEntry, Serving } from "./functions.ts";
import { Gate, type GateRefusal } from "./gate.ts";
import type { Lease, LoadedEntry, LoadedModules } from "./loaded.ts";

/** What a call asks of its function. */
export interface CallInput {
  /** Valid until the caller gets control back; copied when it must live longer. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** Added to the function's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Its `signal` aborts when the caller goes away. A request has one, but it costs so much to make
   * that it is asked for only when the call must wait.
   */
  readonly origin: { readonly signal: AbortSignal };
}

/** How a call ended: the guest's result, or why it was not let in. */
export type CallResult = InvokeResult | { readonly refused: GateRefusal | "NodeBusy" };

/** Options of {@linkcode FunctionCaller}. */
export interface FunctionCallerOptions {
  readonly invoker: Invoker;
  readonly loaded: LoadedModules;
  readonly cache: ModuleCache;
  readonly clock: Clock;
  readonly log: Logger;
  /** Calls of all functions that run off the main thread at once. */
  readonly concurrency: number;
}

/** A call that ends within this time runs on the main thread, where it costs a few microseconds. */
const INLINE_BUDGET: Ms = ms(10);
/** After a call that took longer, so many calls of the function run off the main thread. */
const SLOW_CALLS = 64;
/** A call off the main thread that took less is no reason to stay there. */
const FAST: Ms = ms(4);

/**
 * Calls functions. A call runs on this thread first, for at most {@linkcode INLINE_BUDGET}; one
 * that needs longer is stopped and begun again on another thread, with what is left of its time.
 * That is sound because an instance is fresh and the host functions have no effect outside of the
 * call: nothing of the first try is seen. So a slow function never stands in the way of others.
 */
export class FunctionCaller {
  readonly #options: FunctionCallerOptions;
  readonly #offThread: Gate;
  readonly #inFlight = new Set<Promise<InvokeResult>>();

  constructor(options: FunctionCallerOptions) {
    this.#options = options;
    const { concurrency } = options;
    this.#offThread = new Gate({ concurrency, queue: concurrency * 16 });
  }

  /** Resolves when no call is in flight off the main thread. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  /** Calls the revision that serves. Answers without waiting when the call ends within the inline budget. */
  call(entry: FunctionEntry, serving: Serving, call: CallInput): CallResult | Promise<CallResult> {
    entry.counters.requests++;
    const { gate, loaded: module } = serving;
    if (!gate.tryEnter()) return this.#queued(entry, serving, call);
    let spent = ms(0);
    if (module && serving.slowCalls === 0 && this.#options.loaded.touch(module)) {
      const result = this.#inline(serving, module, call);
      if (typeof result === "object") {
        gate.leave();
        return this.#count(entry, result);
      }
      spent = result;
    }
    return this.#inside(entry, serving, { ...call, input: call.input.slice() }, spent);
  }

  async #queued(entry: FunctionEntry, serving: Serving, call: CallInput): Promise<CallResult> {
    const copy = { ...call, input: call.input.slice() };
    const { clock } = this.#options;
    const patience = ms(serving.fn.limits.timeoutMs);
    const refused = await serving.gate.enter({ clock, patience, signal: call.origin.signal });
    if (refused) {
      entry.counters.rejected++;
      return { refused };
    }
    return await this.#inside(entry, serving, copy, ms(0));
  }

  /** The call is inside its gate; leaves it at the end. `spent` is the time of a first try. */
  async #inside(
    entry: FunctionEntry,
    serving: Serving,
    call: CallInput,
    spent: Ms,
  ): Promise<CallResult> {
    try {
      using lease = await this.#acquire(serving);
      if (serving.slowCalls === 0) {
        const result = this.#inline(serving, lease.entry, call);
        if (typeof result === "object") return this.#count(entry, result);
        spent = result;
      }
      const timeout = ms(Math.max(1, serving.fn.limits.timeoutMs - spent));
      const invocation = invocationOf(serving, lease.entry, call, timeout);
      return await this.#slow(entry, serving, invocation, call);
    } finally {
      serving.gate.leave();
    }
  }

  async #acquire(serving: Serving): Promise<Lease> {
    const { loaded, cache } = this.#options;
    const known = serving.loaded && loaded.lease(serving.loaded);
    if (known) return known;
    let lease: Lease;
    try {
      lease = await loaded.acquire(serving.compiled, serving.abi);
    } catch {
      // The compiled file is damaged or gone: the module itself is still here.
      serving.compiled = await cache.compile(serving.fn.digest, new AbortController().signal);
      lease = await loaded.acquire(serving.compiled, serving.abi);
    }
    serving.loaded = lease.entry;
    return lease;
  }

  /** Tries on this thread; the time spent when the call needs longer than that allows. */
  #inline(serving: Serving, module: LoadedEntry, call: CallInput): InvokeResult | Ms {
    const { clock } = this.#options;
    const started = clock.monotonic();
    const timeout = ms(serving.fn.limits.timeoutMs);
    const budget = ms(Math.min(timeout, INLINE_BUDGET));
    const result = this.#options.invoker.invoke(invocationOf(serving, module, call, budget));
    if (result.ok || result.failure !== "Timeout" || timeout <= INLINE_BUDGET) return result;
    serving.slowCalls = SLOW_CALLS;
    return ms(clock.monotonic() - started);
  }

  async #slow(
    entry: FunctionEntry,
    serving: Serving,
    invocation: Invocation,
    call: CallInput,
  ): Promise<CallResult> {
    const { clock, invoker } = this.#options;
    const patience = ms(serving.fn.limits.timeoutMs);
    const refused = this.#offThread.tryEnter()
      ? undefined
      : await this.#offThread.enter({ clock, patience, signal: call.origin.signal });
    if (refused) {
      entry.counters.rejected++;
      return { refused: refused === "Gone" ? "Gone" : "NodeBusy" };
    }
    const started = clock.monotonic();
    try {
      const running = invoker.invokeOffThread(invocation);
      this.#inFlight.add(running);
      const result = await running.finally(() => this.#inFlight.delete(running));
      const took = clock.monotonic() - started;
      serving.slowCalls = took < FAST ? Math.max(0, serving.slowCalls - 1) : SLOW_CALLS;
      return this.#count(entry, result);
    } finally {
      this.#offThread.leave();
    }
  }

  #count(entry: FunctionEntry, result: InvokeResult): InvokeResult {
    if (!result.ok) {
      entry.counters.errors++;
      if (result.failure === "Timeout") entry.counters.timeouts++;
      if (result.failure === "Trap") entry.counters.traps++;
    }
    return result;
  }
}

function invocationOf(
  serving: Serving,
  module: LoadedEntry,
  call: CallInput,
  timeout: Ms,
): Invocation {
  const { fn } = serving;
  return {
    prepared: module.prepared,
    input: call.input,
    env: call.env ? { ...fn.env, ...call.env } : fn.env,
    args: serving.args,
    memoryBytes: fn.limits.memoryBytes,
    outputBytes: fn.limits.outputBytes,
    timeout,
  };
}
