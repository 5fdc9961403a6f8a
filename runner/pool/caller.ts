import { type Clock, type Logger, type Ms, ms } from "../../core/base/mod.ts";
import type { ModuleCache } from "../cache/mod.ts";
import type { Invocation, Invoker, InvokeResult } from "../engine/mod.ts";
import type { FunctionEntry, Serving } from "./functions.ts";
import { Gate, type GateRefusal } from "./gate.ts";
import type { Lease, LoadedModules } from "./loaded.ts";

/** What a call asks of its function. */
export interface CallInput {
  /** Valid until the caller gets control back; copied when it must live longer. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** Added to the function's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Aborts when the caller goes away. Asked for only when the call must wait: a signal costs a lot. */
  readonly signal: () => AbortSignal;
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
    if (!serving.gate.tryEnter()) return this.#queued(entry, serving, call);
    const lease = this.#options.loaded.tryAcquire(serving.compiled.digest, serving.abi);
    let spent = ms(0);
    if (lease && serving.slowCalls === 0) {
      const result = this.#inline(serving, lease, call);
      if (typeof result === "object") {
        lease[Symbol.dispose]();
        serving.gate.leave();
        return this.#count(entry, result);
      }
      spent = result;
    }
    const copy = { ...call, input: call.input.slice() };
    return this.#inside(entry, serving, copy, lease && { lease, spent });
  }

  async #queued(entry: FunctionEntry, serving: Serving, call: CallInput): Promise<CallResult> {
    const copy = { ...call, input: call.input.slice() };
    const { clock } = this.#options;
    const patience = ms(serving.fn.limits.timeoutMs);
    const refused = await serving.gate.enter({ clock, patience, signal: call.signal() });
    if (refused) {
      entry.counters.rejected++;
      return { refused };
    }
    return await this.#inside(entry, serving, copy, undefined);
  }

  /** The call is inside its gate; leaves it at the end. */
  async #inside(
    entry: FunctionEntry,
    serving: Serving,
    call: CallInput,
    begun: { readonly lease: Lease; readonly spent: Ms } | undefined,
  ): Promise<CallResult> {
    try {
      using lease = begun?.lease ?? await this.#acquire(serving);
      let spent = begun?.spent ?? ms(0);
      if (serving.slowCalls === 0) {
        const result = this.#inline(serving, lease, call);
        if (typeof result === "object") return this.#count(entry, result);
        spent = result;
      }
      const timeout = ms(Math.max(1, serving.fn.limits.timeoutMs - spent));
      return await this.#slow(entry, serving, invocationOf(serving, lease, call, timeout), call);
    } finally {
      serving.gate.leave();
    }
  }

  async #acquire(serving: Serving): Promise<Lease> {
    const { loaded, cache } = this.#options;
    try {
      return await loaded.acquire(serving.compiled, serving.abi);
    } catch {
      // The compiled file is damaged or gone: the module itself is still here.
      serving.compiled = await cache.compile(serving.fn.digest, new AbortController().signal);
      return await loaded.acquire(serving.compiled, serving.abi);
    }
  }

  /** Tries on this thread; the time spent when the call needs longer than that allows. */
  #inline(serving: Serving, lease: Lease, call: CallInput): InvokeResult | Ms {
    const { clock } = this.#options;
    const started = clock.monotonic();
    const timeout = ms(serving.fn.limits.timeoutMs);
    const budget = ms(Math.min(timeout, INLINE_BUDGET));
    const result = this.#options.invoker.invoke(invocationOf(serving, lease, call, budget));
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
      : await this.#offThread.enter({ clock, patience, signal: call.signal() });
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
  lease: Lease,
  call: CallInput,
  timeout: Ms,
): Invocation {
  const { fn } = serving;
  return {
    prepared: lease.prepared,
    input: call.input,
    env: call.env ? { ...fn.env, ...call.env } : fn.env,
    args: [fn.name, ...fn.args],
    memoryBytes: fn.limits.memoryBytes,
    outputBytes: fn.limits.outputBytes,
    timeout,
  };
}
