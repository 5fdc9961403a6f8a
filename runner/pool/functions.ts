import { AppError, errorText, type Logger } from "../../core/base/mod.ts";
import type {
  PutFunctionAnswer,
  RunnerCounters,
  RunnerEvent,
  RunnerFunction,
  RunnerFunctionState,
} from "../../core/runnerapi/mod.ts";
import { chooseAbi, type CompiledModule, type ModuleCache, type StateFile } from "../cache/mod.ts";
import type { Abi } from "../engine/mod.ts";
import { matchRoute, planRoutes, type RoutePlan, type RouteTrigger } from "../gateway/routes.ts";
import { Gate } from "./gate.ts";
import type { LoadedEntry } from "./loaded.ts";

/** A revision that answers calls. */
export interface Serving {
  readonly fn: RunnerFunction;
  readonly abi: Abi;
  compiled: CompiledModule;
  readonly gate: Gate;
  /** Arguments of a command: the function's name, then `fn.args`. */
  readonly args: readonly string[];
  /** The module in memory, if it is; asked whether it still holds before each use. */
  loaded: LoadedEntry | undefined;
  /** Calls that are still to run off the main thread, because one before them took long. */
  slowCalls: number;
}

/** A function in the runner. */
export interface FunctionEntry {
  wanted: RunnerFunction;
  state: RunnerFunctionState["state"];
  reason: RunnerFunctionState["reason"];
  message: string;
  serving: Serving | undefined;
  readonly counters: RunnerCounters;
  /** How the last call that failed did so. */
  lastError?: string;
}

/** Where a request goes. */
export interface FunctionMatch {
  readonly entry: FunctionEntry;
  readonly trigger: RouteTrigger;
}

/** Options of {@linkcode FunctionSet}. */
export interface FunctionSetOptions {
  readonly cache: ModuleCache;
  readonly state: StateFile;
  readonly log: Logger;
  /** Aborts compiles when the runner stops. */
  readonly signal: AbortSignal;
}

/**
 * The functions of this node. A new revision is compiled and tried first and takes over only then;
 * when it fails, the old one keeps answering and the function's state says so.
 */
export class FunctionSet {
  readonly #options: FunctionSetOptions;
  readonly #entries = new Map<string, FunctionEntry>();
  readonly #listeners = new Set<(event: RunnerEvent) => void>();
  readonly #rollouts = new Set<Promise<void>>();
  #plan: RoutePlan = planRoutes([]);

  constructor(options: FunctionSetOptions) {
    this.#options = options;
  }

  /** How every function stands. */
  states(): RunnerFunctionState[] {
    return [...this.#entries.values()].map((entry) => this.#stateOf(entry));
  }

  /** Told of every change of a function's state. Dispose the result to stop. */
  subscribe(listener: (event: RunnerEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The function that answers `path`. */
  match(path: string): FunctionMatch | undefined {
    const route = matchRoute(this.#plan.routes, path);
    const entry = route && this.#entries.get(route.uid);
    return entry && { entry, trigger: route.trigger };
  }

  /** Takes back what the runner served before it was restarted. */
  async restore(): Promise<void> {
    for (const { wanted, serving } of await this.#options.state.load(this.#options.log)) {
      const entry = this.#insert(wanted);
      const compiled = serving && await this.#options.cache.find(serving.digest);
      const choice = compiled && chooseAbi(compiled, serving.abi);
      if (compiled && choice && "abi" in choice) {
        this.#serve(entry, serving, { compiled, abi: choice.abi });
      }
      this.#reroute();
      if (serving?.revision === wanted.revision && entry.serving) this.#settle(entry);
      else this.#track(this.#restoreLater(entry, serving));
    }
  }

  /** Another engine than before: what was served is compiled anew first, then what is wanted. */
  async #restoreLater(entry: FunctionEntry, serving: RunnerFunction | undefined): Promise<void> {
    if (serving && !entry.serving && serving.revision !== entry.wanted.revision) {
      await this.#rollOut(entry, serving);
    }
    await this.#rollOut(entry, entry.wanted);
  }

  /** Accepts a function; it is compiled in the background. Nothing happens when the revision is known. */
  async put(fn: RunnerFunction): Promise<PutFunctionAnswer["result"]> {
    if (!await this.#options.cache.has(fn.digest)) return "module-missing";
    const before = this.#entries.get(fn.uid);
    if (before && before.wanted.revision === fn.revision && before.state !== "Failed") {
      before.wanted = fn;
      return "accepted";
    }
    const entry = before ?? this.#insert(fn);
    entry.wanted = fn;
    this.#change(entry, "Compiling", "Compiling", "the module is compiled and tried");
    await this.#save();
    this.#track(this.#rollOut(entry, fn));
    return "accepted";
  }

  /** Removes a function. Calls in flight end as they would. */
  async remove(uid: string): Promise<void> {
    if (!this.#entries.delete(uid)) return;
    this.#reroute();
    this.#emit({ type: "removed", uid });
    await this.#save();
  }

  /** Resolves when no compile is under way. */
  async settled(): Promise<void> {
    while (this.#rollouts.size > 0) await Promise.allSettled(this.#rollouts);
  }

  #insert(fn: RunnerFunction): FunctionEntry {
    const entry: FunctionEntry = {
      wanted: fn,
      state: "Compiling",
      reason: "Compiling",
      message: "the module is compiled and tried",
      serving: undefined,
      counters: { requests: 0, errors: 0, timeouts: 0, traps: 0, rejected: 0 },
    };
    this.#entries.set(fn.uid, entry);
    return entry;
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error) => {
      if (this.#options.signal.aborted) return;
      this.#options.log.error("a roll-out failed", { error: errorText(error) });
    }).finally(() => this.#rollouts.delete(tracked));
    this.#rollouts.add(tracked);
  }

  /** Compiles and tries `fn`; on success it answers calls from then on. */
  async #rollOut(entry: FunctionEntry, fn: RunnerFunction): Promise<void> {
    const { cache, log, signal } = this.#options;
    const current = (): boolean =>
      this.#entries.get(fn.uid) === entry &&
      (entry.wanted.revision === fn.revision || entry.serving === undefined);
    try {
      const compiled = await cache.compile(fn.digest, signal);
      if (!current()) return;
      const abi = this.#accept(fn, compiled);
      this.#serve(entry, fn, { compiled, abi });
      this.#reroute();
      log.info("function revision serves", {
        ...nameOf(fn),
        revision: fn.revision,
        abi,
        compileMs: compiled.compileMs,
      });
      if (entry.wanted.revision === fn.revision) this.#settle(entry);
      await this.#save();
      await cache.collect(this.#digests());
    } catch (error) {
      if (signal.aborted) throw error;
      if (!current() || entry.wanted.revision !== fn.revision) return;
      this.#fail(entry, error);
    }
  }

  /** @throws {AppError} Invalid when the compiled module does not fit the function's spec */
  #accept(fn: RunnerFunction, compiled: CompiledModule): Abi {
    const choice = chooseAbi(compiled, fn.abi);
    if ("problem" in choice) throw new AppError("Invalid", choice.problem);
    const { minMemoryBytes } = compiled;
    if (minMemoryBytes > fn.limits.memoryBytes) {
      throw new AppError(
        "Invalid",
        `the module needs ${minMemoryBytes} bytes of memory from the start, spec.limits.memory ` +
          `is ${fn.limits.memoryBytes}: raise it or build the module with less`,
      );
    }
    return choice.abi;
  }

  #serve(
    entry: FunctionEntry,
    fn: RunnerFunction,
    module: { readonly compiled: CompiledModule; readonly abi: Abi },
  ): void {
    const gate = new Gate(fn.limits);
    const args = [fn.name, ...fn.args];
    entry.serving = { fn, ...module, args, gate, loaded: undefined, slowCalls: 0 };
  }

  #fail(entry: FunctionEntry, error: unknown): void {
    const invalid = error instanceof AppError && error.code === "Invalid";
    const old = entry.serving
      ? `; revision ${entry.serving.fn.revision} keeps answering`
      : "; nothing answers calls";
    const text = `${errorText(error)}${old}`;
    this.#change(entry, "Failed", invalid ? "InvalidModule" : "CompileFailed", text);
    this.#options.log.warn("function revision refused", {
      ...nameOf(entry.wanted),
      revision: entry.wanted.revision,
      error: text,
    });
  }

  #reroute(): void {
    const claims = [...this.#entries.values()].flatMap(({ wanted, serving }) =>
      serving
        ? [{
          uid: wanted.uid,
          namespace: wanted.namespace,
          name: wanted.name,
          createdAt: wanted.createdAt,
          triggers: serving.fn.triggers,
        }]
        : []
    );
    this.#plan = planRoutes(claims);
    for (const entry of this.#entries.values()) {
      const settled = entry.state === "Ready" || entry.reason === "PathConflict";
      if (settled && entry.serving?.fn.revision === entry.wanted.revision) this.#settle(entry);
    }
  }

  /** The wanted revision is the serving one: it is ready unless another function has its path. */
  #settle(entry: FunctionEntry): void {
    const conflicts = this.#plan.conflicts.get(entry.wanted.uid) ?? [];
    const [first] = conflicts;
    if (first === undefined) return this.#change(entry, "Ready", "Serving", "answers calls");
    this.#change(
      entry,
      "Failed",
      "PathConflict",
      `path ${first.path} belongs to function ${first.owner}, which is older: ` +
        `choose another spec.triggers[].http.path`,
    );
  }

  #change(
    entry: FunctionEntry,
    state: FunctionEntry["state"],
    reason: FunctionEntry["reason"],
    message: string,
  ): void {
    const same = entry.state === state && entry.reason === reason && entry.message === message;
    entry.state = state;
    entry.reason = reason;
    entry.message = message;
    if (same && state !== "Ready") return;
    this.#emit({ type: "function", function: this.#stateOf(entry) });
  }

  #emit(event: RunnerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #stateOf(entry: FunctionEntry): RunnerFunctionState {
    const { wanted, state, reason, message, serving, counters } = entry;
    const routes = this.#plan.routes;
    return {
      uid: wanted.uid,
      namespace: wanted.namespace,
      name: wanted.name,
      revision: wanted.revision,
      generation: wanted.generation,
      state,
      reason,
      message,
      ...(serving
        ? {
          servingRevision: serving.fn.revision,
          servingDigest: serving.fn.digest,
          abi: serving.abi,
        }
        : {}),
      paths: (serving?.fn.triggers ?? []).map(({ path }) => path)
        .filter((path) => routes.get(path)?.uid === wanted.uid),
      counters: { ...counters },
      ...(entry.lastError === undefined ? {} : { lastError: entry.lastError }),
    };
  }

  #digests(): Set<string> {
    const digests = new Set<string>();
    for (const { wanted, serving } of this.#entries.values()) {
      digests.add(wanted.digest);
      if (serving) digests.add(serving.fn.digest);
    }
    return digests;
  }

  #save(): Promise<void> {
    return this.#options.state.save(() =>
      [...this.#entries.values()].map(({ wanted, serving }) => ({
        wanted,
        ...(serving ? { serving: serving.fn } : {}),
      }))
    );
  }
}

function nameOf(fn: RunnerFunction): Record<string, string> {
  return { ns: fn.namespace, name: fn.name, uid: fn.uid };
}
