import { deadline, seconds, systemClock } from "../../core/base/mod.ts";
import { buildDevicePlugin } from "./build.ts";

/** One line that the plugin printed. */
export interface PluginLine {
  /** What it was asked, e.g. `Allocate`. */
  readonly call?: string;
  readonly ids?: readonly string[];
  /** How a registration went. */
  readonly registered?: boolean;
  readonly error?: string;
}

/** A device plugin that runs: on grpc-go and the kubelet's own API, as vendors' plugins are. */
export class TestPlugin implements AsyncDisposable {
  readonly lines: PluginLine[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reading: Promise<void>;
  readonly #wakes = new Set<() => void>();

  private constructor(program: string, flags: readonly string[]) {
    this.#child = new Deno.Command(program, {
      args: [...flags],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts it; `flags` are those of `plugin/main.go`. */
  static async start(folder: string, flags: readonly string[] = []): Promise<TestPlugin> {
    return new TestPlugin(await buildDevicePlugin(), ["-folder", folder, ...flags]);
  }

  /** Waits until it has printed a line for which `match` holds, from line `after` on. */
  async says(match: (line: PluginLine) => boolean, after = 0): Promise<PluginLine> {
    const late = (): Error =>
      new Error(`the plugin did not say that; it said ${JSON.stringify(this.lines)}`);
    using limit = deadline(systemClock, seconds(20), late);
    for (;;) {
      const found = this.lines.slice(after).find(match);
      if (found) return found;
      limit.signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wakes.delete(wake);
          limit.signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wakes.add(wake);
        limit.signal.addEventListener("abort", wake);
      });
    }
  }

  /** Gives it a command: `sick ID`, `well ID`, `register`. */
  async tell(command: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${command}\n`));
  }

  /** Ends it at once, as a crash does. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#input.abort().catch(() => {});
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines.map((line) => JSON.parse(line) as PluginLine));
      for (const wake of [...this.#wakes]) wake();
    }
  }
}
