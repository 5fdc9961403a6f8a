import { mib, ms, silentLogger, systemClock } from "../core/base/mod.ts";
import {
  createRunnerClient,
  libraryPath,
  type RunnerClient,
  type RunnerFunction,
  type RunnerFunctionState,
} from "../core/runnerapi/mod.ts";
import { DEFAULT_SETTINGS, loadLibrary, watToWasm } from "./engine/mod.ts";
import { runRunner } from "./runner.ts";

/** A runner inside the test's process, on its own folder and a free port. */
export interface TestRunner {
  readonly client: RunnerClient;
  /** `http://127.0.0.1:PORT`. */
  readonly base: string;
  readonly folder: string;
  /** Stops the runner and starts it again on the same folder, doing `between` while it is down. */
  restart(between?: () => Promise<void>): Promise<void>;
}

/** Where the tests find libwasmtime. */
export function testLibrary(): string {
  return libraryPath({
    os: Deno.build.os,
    arch: Deno.build.arch,
    env: (name) => Deno.env.get(name),
  });
}

/** Turns text into a module with the tests' library. */
export function testWasm(text: string): Uint8Array<ArrayBuffer> {
  using library = loadLibrary(testLibrary());
  return watToWasm(library, text);
}

/** Runs `body` against a fresh runner; stops it and removes its folder afterwards. */
export async function withRunner(body: (runner: TestRunner) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-runner-" });
  let running: Running | undefined = await start(folder);
  const client = createRunnerClient({ socket: `${folder}/control.sock`, clock: systemClock });
  try {
    await body({
      folder,
      client,
      get base() {
        return running?.base ?? "";
      },
      async restart(between) {
        await running?.stop();
        running = undefined;
        await between?.();
        running = await start(folder);
      },
    });
  } finally {
    client[Symbol.dispose]();
    await running?.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Running {
  readonly base: string;
  stop(): Promise<void>;
}

async function start(folder: string): Promise<Running> {
  const stop = new AbortController();
  const socket = `${folder}/control.sock`;
  const ready = Promise.withResolvers<string>();
  const ended = runRunner(
    {
      stateDir: folder,
      controlSocket: socket,
      gateway: { hostname: "127.0.0.1", port: 0 },
      library: testLibrary(),
      clock: systemClock,
      log: silentLogger,
      settings: { ...DEFAULT_SETTINGS, maxMemory: mib(16) },
      concurrency: 4,
    },
    stop.signal,
    (facts) => ready.resolve(`http://${facts.gateway}`),
  );
  const base = await Promise.race([
    ready.promise,
    ended.then((): never => {
      throw new Error("the runner ended before it was ready");
    }),
  ]);
  return {
    base,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

/** A function as the agent would put it, with small limits. */
export function testFunction(
  digest: string,
  change: Partial<RunnerFunction> = {},
): RunnerFunction {
  return {
    uid: "uid-1",
    namespace: "default",
    name: "fn",
    revision: "r1",
    generation: 1,
    createdAt: 1,
    digest,
    abi: "auto",
    triggers: [{ path: "/default/fn", methods: [], maxBodyBytes: 65536 }],
    env: {},
    args: [],
    limits: {
      memoryBytes: mib(1),
      timeoutMs: ms(200),
      outputBytes: 65536,
      concurrency: 4,
      queue: 16,
    },
    ...change,
  };
}

/** Puts a module and its function and waits until that revision serves or is refused. */
export async function deploy(
  runner: TestRunner,
  wasm: Uint8Array<ArrayBuffer>,
  change: Partial<RunnerFunction> = {},
): Promise<RunnerFunctionState> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", wasm)).toHex();
  const fn = testFunction(digest, change);
  await runner.client.putModule(digest, wasm);
  await runner.client.putFunction(fn);
  return await settled(runner, fn.uid, fn.revision);
}

/** Waits until the wanted revision of a function is no longer being compiled. */
export async function settled(
  runner: TestRunner,
  uid: string,
  revision: string,
): Promise<RunnerFunctionState> {
  const done = new AbortController();
  try {
    for await (const event of runner.client.events(done.signal)) {
      const states = event.type === "status"
        ? event.status.functions
        : event.type === "function"
        ? [event.function]
        : [];
      const found = states.find((state) => state.uid === uid && state.revision === revision);
      if (found && found.state !== "Compiling") return found;
    }
  } finally {
    done.abort();
  }
  throw new Error("the event stream ended");
}
