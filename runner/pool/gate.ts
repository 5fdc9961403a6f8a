import type { Clock, Ms } from "../../core/base/mod.ts";

/** Why a call was not let in. */
export type GateRefusal = "QueueFull" | "QueueTimeout" | "Gone";

interface Waiter {
  readonly admit: () => void;
}

/** Lets a number of calls in at once, a number wait in order, and refuses the rest. */
export class Gate {
  readonly concurrency: number;
  readonly queue: number;
  readonly #waiting = new Set<Waiter>();
  #active = 0;

  constructor(limits: { readonly concurrency: number; readonly queue: number }) {
    this.concurrency = limits.concurrency;
    this.queue = limits.queue;
  }

  /** Calls inside. */
  get active(): number {
    return this.#active;
  }

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether a call that came now would be refused. */
  get full(): boolean {
    return this.#active >= this.concurrency && this.#waiting.size >= this.queue;
  }

  /** Enters at once when there is room and nobody waits. Call {@linkcode leave} afterwards. */
  tryEnter(): boolean {
    if (this.#active >= this.concurrency || this.#waiting.size > 0) return false;
    this.#active++;
    return true;
  }

  /** Enters, after waiting at most `patience`. `undefined` means inside: call {@linkcode leave}. */
  async enter(
    options: { readonly clock: Clock; readonly patience: Ms; readonly signal?: AbortSignal },
  ): Promise<GateRefusal | undefined> {
    if (this.tryEnter()) return undefined;
    if (this.#waiting.size >= this.queue) return "QueueFull";
    const turn = Promise.withResolvers<GateRefusal | undefined>();
    const waiter: Waiter = { admit: () => turn.resolve(undefined) };
    this.#waiting.add(waiter);
    const give = (refusal: GateRefusal): void => {
      if (this.#waiting.delete(waiter)) turn.resolve(refusal);
    };
    const onAbort = (): void => give("Gone");
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const timer = options.clock.timer(options.patience, () => give("QueueTimeout"));
    try {
      return await turn.promise;
    } finally {
      timer[Symbol.dispose]();
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Leaves; the call that waits longest takes the place. */
  leave(): void {
    const next = this.#waiting.values().next();
    if (next.done) {
      this.#active--;
      return;
    }
    this.#waiting.delete(next.value);
    next.value.admit();
  }
}
