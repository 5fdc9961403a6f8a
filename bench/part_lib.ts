import { lines, partArgs, partEnv, type PartSpec } from "../cli/launch.ts";
import { AppError, type Ms, ms, systemClock } from "../core/base/mod.ts";
import { LAUNCHED, parseReady, type ReadyLine } from "../core/parts/mod.ts";

/** How a {@linkcode Part} is started otherwise than the launcher does it. */
export interface PartChanges {
  /** The Deno binary. A copy shares no file pages with other Deno processes of the machine. */
  readonly binary?: string;
  /** V8 flags in place of the launcher's own; `[]` for none. */
  readonly v8Flags?: readonly string[];
  /** Added to the launcher's own environment; an empty value takes a variable away. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A hub, agent or runner, started with the arguments and environment that the launcher gives it. */
export class Part implements AsyncDisposable {
  readonly name: PartSpec["part"];
  /** Resolves with what it printed when it served. Rejects when it ended before. */
  readonly ready: Promise<ReadyLine["ready"]>;
  /** Clock (monotonic) when the process was made. */
  readonly startedAt: Ms;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<void>;
  readonly #log: string[] = [];

  constructor(spec: PartSpec, changes: PartChanges = {}) {
    this.name = spec.part;
    const binary = changes.binary ?? Deno.execPath();
    const env = { ...partEnv(spec.part), ...changes.env };
    this.startedAt = systemClock.monotonic();
    this.#child = new Deno.Command(binary, {
      args: changedArgs(partArgs(spec), { ...changes, binary }),
      // The end of standard input tells the part to stop: none outlives a bench that is killed.
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: {
        ...Object.fromEntries(Object.entries(env).filter(([, v]) => v !== "")),
        [LAUNCHED]: "1",
      },
    }).spawn();
    const ready = Promise.withResolvers<ReadyLine["ready"]>();
    ready.promise.catch(() => {});
    this.ready = ready.promise;
    const [out, log] = [this.#readOut(ready.resolve), this.#readLog()];
    this.#output = Promise.all([out, log]).then(() => {
      ready.reject(new AppError("InternalError", `the ${this.name} ended:\n${this.log()}`));
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The end of its log, for messages. */
  log(): string {
    return this.#log.slice(-20).join("\n");
  }

  /** SIGTERM, and SIGKILL after 15 s. Resolves when it has ended. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
    using _limit = systemClock.timer(ms(15_000), () => this.#child.kill("SIGKILL"));
    await this.#child.status;
    await this.#output;
    await this.#child.stdin.abort().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #readOut(ready: (facts: ReadyLine["ready"]) => void): Promise<void> {
    for await (const line of lines(this.#child.stdout)) {
      const found = parseReady(line);
      if (found) ready(found.ready);
    }
  }

  async #readLog(): Promise<void> {
    for await (const line of lines(this.#child.stderr)) {
      this.#log.push(line);
      if (this.#log.length > 200) this.#log.shift();
    }
  }
}

function changedArgs(
  args: readonly string[],
  { binary, v8Flags }: PartChanges & { readonly binary: string },
): string[] {
  const swapped = args.map((arg) =>
    arg.replace(`--allow-run=${Deno.execPath()}`, `--allow-run=${binary}`)
  );
  if (!v8Flags) return swapped;
  const rest = swapped.filter((arg) => !arg.startsWith("--v8-flags="));
  if (v8Flags.length > 0) rest.splice(1, 0, `--v8-flags=${v8Flags.join(",")}`);
  return rest;
}
