import {
  AppError,
  type Clock,
  errorText,
  type Logger,
  mib,
  ms,
  seconds,
  untilAborted,
} from "../core/base/mod.ts";
import { ensurePrivateFolder, ModuleCache, StateFile } from "./cache/mod.ts";
import { createControl, requireNoOther, serveSocket } from "./control/mod.ts";
import {
  DEFAULT_SETTINGS,
  Engine,
  type EngineSettings,
  Invoker,
  layoutOf,
  loadLibc,
  loadLibrary,
  Ticker,
} from "./engine/mod.ts";
import { Gateway } from "./gateway/mod.ts";
import { FunctionCaller, FunctionSet, LoadedModules } from "./pool/mod.ts";
import { chooseEngine } from "./start_engine.ts";

/** Options of {@linkcode runRunner}. */
export interface RunnerSetup {
  /** Folder of modules, compiled modules and state; made when absent, for this user only. */
  readonly stateDir: string;
  /** Path of the control socket. */
  readonly controlSocket: string;
  readonly gateway: { readonly hostname: string; readonly port: number };
  /** Path of libwasmtime. */
  readonly library: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** @default {DEFAULT_SETTINGS} */
  readonly settings?: EngineSettings;
  /** Calls at once off the main thread. */
  readonly concurrency: number;
}

/** What a running runner says of itself. */
export interface RunnerFacts {
  /** `host:port` of the gateway. */
  readonly gateway: string;
  /** Version of the engine, e.g. `50.0.0`. */
  readonly engine: string;
  readonly allocation: string;
}

/** Length of an epoch tick: the precision of time limits. */
const TICK = ms(5);
const COMPILE_TIMEOUT = seconds(120);
/** How long the gateway's connections may hold up the end of the runner. */
const STOP_LIMIT = seconds(3);
/** Compiled modules kept in memory. */
const LOADED_BUDGET = mib(64);

/**
 * Runs the runner until `signal` aborts: loads the engine, takes back what it served before, then
 * opens the gateway and the control socket and calls `ready`.
 *
 * @throws {AppError} Unsupported for the library; AlreadyExists when a port or the socket is taken
 */
export async function runRunner(
  setup: RunnerSetup,
  signal: AbortSignal,
  ready: (facts: RunnerFacts) => void,
): Promise<void> {
  const { clock, log } = setup;
  await requireNoOther(setup.controlSocket);
  await ensurePrivateFolder(setup.stateDir);
  const wanted = setup.settings ?? DEFAULT_SETTINGS;
  const { settings, probe } = await chooseEngine(setup.library, wanted, { clock, log, signal });
  await using held = new AsyncDisposableStack();
  const library = held.use(loadLibrary(setup.library));
  const engine = held.use(new Engine(library, settings));
  const ticker = held.use(new Ticker({ engine, library: setup.library, tick: TICK }));
  await ticker.start();
  const libc = loadLibc();
  held.defer(() => libc.close());
  const layout = layoutOf(probe.major);
  const invoker = held.use(new Invoker({ engine, layout, libc, ticker, clock }));
  const cache = await ModuleCache.open({
    ...{ folder: setup.stateDir, library: setup.library, settings, clock },
    ...{ major: probe.major, engineHash: probe.engineHash, compileTimeout: COMPILE_TIMEOUT },
  });
  const loaded = held.use(new LoadedModules({ cache, engine, invoker, budget: LOADED_BUDGET }));
  const state = new StateFile(`${setup.stateDir}/functions.json`);
  const stopping = new AbortController();
  const functions = new FunctionSet({ cache, state, log, signal: stopping.signal });
  held.defer(() => functions.settled());
  held.defer(() => stopping.abort(new Error("the runner is stopping")));
  await functions.restore();
  const { concurrency } = setup;
  const caller = new FunctionCaller({ invoker, loaded, cache, clock, log, concurrency });
  held.defer(() => caller.idle());
  const gateway = new Gateway({ functions, caller, clock, log });
  const server = serveGateway(gateway, setup.gateway);
  held.defer(() => stopServer(server, clock));
  const address = `${setup.gateway.hostname}:${server.addr.port}`;
  const control = createControl({
    ...{ functions, cache, clock, log, signal: stopping.signal },
    identity: {
      instance: crypto.randomUUID(),
      engine: {
        version: probe.version,
        arch: Deno.build.arch,
        allocation: settings.allocation,
        maxMemoryBytes: settings.maxMemory,
      },
      gateway: address,
    },
  });
  const socket = await serveSocket({ path: setup.controlSocket, handler: control });
  held.defer(() => socket.shutdown());
  held.defer(() => stopping.abort(new Error("the runner is stopping")));
  log.info("runner serves", { gateway: address, engine: probe.version, ...settings });
  ready({ gateway: address, engine: probe.version, allocation: settings.allocation });
  await untilAborted(signal);
}

/**
 * Lets requests under way end, for a bounded time: a connection whose body was refused is not
 * closed by the runtime, and must not hold up the end of the process.
 */
async function stopServer(server: Deno.HttpServer<Deno.NetAddr>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>();
  using _timer = clock.timer(STOP_LIMIT, late.resolve);
  await Promise.race([server.shutdown(), late.promise]);
}

function serveGateway(
  gateway: Gateway,
  at: { readonly hostname: string; readonly port: number },
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ ...at, onListen: () => {} }, (request) => gateway.handle(request));
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new AppError(
        "AlreadyExists",
        `port ${at.port} on ${at.hostname} is taken: name another with --gateway-port`,
      );
    }
    throw new AppError("Unsupported", `cannot listen on ${at.hostname}: ${errorText(error)}`);
  }
}
