import { z } from "zod";
import { RunnerFunction } from "../../core/runnerapi/mod.ts";
import { errorText, type Logger } from "../../core/base/mod.ts";
import { readTextIfThere, writeFileAtomic } from "./files.ts";

/** What a restarted runner needs to serve while the agent is away. */
const State = z.object({
  version: z.literal(1),
  functions: z.array(z.object({
    wanted: RunnerFunction,
    serving: RunnerFunction.optional(),
  })),
});

/** One function as it was when the state was written. */
export interface StoredFunction {
  readonly wanted: RunnerFunction;
  readonly serving?: RunnerFunction | undefined;
}

/** The small file that lets a restarted runner serve at once. The agent is the truth and puts all again. */
export class StateFile {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();
  #next: (() => readonly StoredFunction[]) | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file; an absent or unreadable one is empty. */
  async load(log: Logger): Promise<StoredFunction[]> {
    const text = await readTextIfThere(this.#path);
    if (text === undefined) return [];
    try {
      return State.parse(JSON.parse(text)).functions;
    } catch (error) {
      log.warn("the runner's state file cannot be read; waiting for the agent", {
        path: this.#path,
        error: errorText(error),
      });
      return [];
    }
  }

  /** Writes what `read` gives; calls that come while one is being written become one. */
  save(read: () => readonly StoredFunction[]): Promise<void> {
    const first = this.#next === undefined;
    this.#next = read;
    if (first) {
      this.#writing = this.#writing.catch(() => {}).then(async () => {
        const next = this.#next;
        this.#next = undefined;
        if (next) {
          await writeFileAtomic(this.#path, JSON.stringify({ version: 1, functions: next() }));
        }
      });
    }
    return this.#writing;
  }
}
