import { AppError, type Clock, deadline, minutes, type Ms } from "../../core/base/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";

/** How long a call may take that makes or ends something. */
const CALL_TIMEOUT = minutes(2);

/** Calls of the runtime with a time limit, which end with this process. */
export class RuntimeCalls {
  readonly #options: {
    readonly runtime: Runtime;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  };

  constructor(
    options: {
      readonly runtime: Runtime;
      readonly clock: Clock;
      readonly signal: AbortSignal;
    },
  ) {
    this.#options = options;
  }

  /** @throws {AppError} Timeout when `fn` has not settled within `limit`, and what it threw */
  async call<T>(
    fn: (runtime: Runtime, signal: AbortSignal) => Promise<T>,
    limit: Ms = CALL_TIMEOUT,
  ): Promise<T> {
    const { runtime, clock, signal } = this.#options;
    const late = (): AppError =>
      new AppError("Timeout", `The container runtime did not answer within ${limit / 1000} s`);
    using limited = deadline(clock, limit, late, signal);
    return await fn(runtime, limited.signal);
  }
}
