import { type Clock, seconds } from "../../core/base/mod.ts";

/**
 * Commands that begin in one container at the same time. containerd 1.6 stalls for half a minute
 * when some fifty do, by itself too.
 */
const AT_ONCE = 8;
/** A command that runs longer is no longer beginning, and gives its turn on. */
const TURN = seconds(1);

interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

/** Lets the commands of each container begin in turns, in the order in which they were asked for. */
export class ExecTurns {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for a turn; dispose what it gives when the command has ended, or sooner. A turn ends by
   * itself after a second.
   *
   * @throws what `signal` aborts with while it waits
   */
  async take(containerId: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const line = this.#lines.get(containerId) ?? { running: 0, waiting: [] };
    this.#lines.set(containerId, line);
    // A turn is handed on, so that nobody comes in between.
    if (line.running >= AT_ONCE) await inLine(line, signal);
    else line.running++;
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      timer[Symbol.dispose]();
      const next = line.waiting.shift();
      if (next) return next();
      line.running--;
      if (line.running === 0) this.#lines.delete(containerId);
    };
    const timer = this.#clock.timer(TURN, end);
    return { [Symbol.dispose]: end };
  }
}

async function inLine({ waiting }: Line, signal: AbortSignal): Promise<void> {
  const turn = Promise.withResolvers<void>();
  const leave = (): void => {
    const at = waiting.indexOf(turn.resolve);
    if (at >= 0) waiting.splice(at, 1);
    turn.reject(signal.reason);
  };
  waiting.push(turn.resolve);
  signal.addEventListener("abort", leave, { once: true });
  try {
    await turn.promise;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
