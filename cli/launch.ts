import { watchNpx } from "./npx.ts";
import { say, warn } from "./say.ts";
import {
  backoffDelay,
  errorText,
  ms,
  seconds,
  sleep,
  systemClock,
  systemRandom,
} from "../core/base/mod.ts";
import {
  AGENT_OPTIONS,
  type AgentOptions,
  agentPermissions,
  type ClusterAccess,
  EXIT,
  formatOptions,
  HUB_OPTIONS,
  type HubOptions,
  hubPermissions,
  LAUNCHED,
  parseFailed,
  parseReady,
  permissionFlags,
  type ReadyLine,
  resolvePaths,
  RUNNER_OPTIONS,
  type RunnerOptions,
  runnerPermissions,
} from "../core/parts/mod.ts";

/** A part and the options to start it with. */
export type PartSpec =
  | { readonly part: "hub"; readonly options: HubOptions; readonly cluster?: ClusterAccess }
  /** `main`: the file to run, {@linkcode agentMain}. */
  | { readonly part: "agent"; readonly options: AgentOptions; readonly main: string }
  | { readonly part: "runner"; readonly options: RunnerOptions; readonly library: string };

/**
 * The hub's heap is trimmed (`core/parts/trim.ts`), and its young garbage is collected while it is
 * in the processor's cache: with V8's 16 MiB, streams cost it twice the time.
 */
const HUB_HEAP = "--v8-flags=--max-semi-space-size=1,--expose-gc";

/**
 * V8 keeps less young garbage and smaller code, and its heap is trimmed: a gateway
 * has little memory. What each saves: docs/decisions/011-agent-memory.md.
 */
const SMALL_HEAP = "--v8-flags=--max-semi-space-size=1,--optimize-for-size,--expose-gc";

/** The arguments for the Deno binary that start a part with its own permission set. */
export function partArgs(given: PartSpec): string[] {
  const spec = withAbsolutePaths(given);
  const run = ["run", "--no-prompt", "--quiet", "--cached-only"];
  switch (spec.part) {
    case "hub":
      return [
        ...run,
        HUB_HEAP,
        "-P=cloud",
        ...permissionFlags(hubPermissions(spec.options, spec.cluster)),
        entry("cloud/main.ts"),
        ...formatOptions(HUB_OPTIONS, spec.options),
      ];
    case "agent":
      return [
        ...run,
        SMALL_HEAP,
        "-P=agent",
        ...permissionFlags(agentPermissions(spec.options)),
        spec.main,
        ...formatOptions(AGENT_OPTIONS, spec.options),
      ];
    case "runner":
      return [
        ...run,
        SMALL_HEAP,
        "-P=runner",
        ...permissionFlags(runnerPermissions(spec.options, spec.library)),
        `--allow-run=${Deno.execPath()}`,
        entry("runner/main.ts"),
        ...formatOptions(RUNNER_OPTIONS, spec.options),
      ];
  }
}

/**
 * What the environment of a part has beside the launcher's own: one heap of the C library, not one
 * for each of some ten threads, and a name in OpenTelemetry, which reaches it by the launcher's
 * `OTEL_*` variables (`docs/decisions/041-opentelemetry.md`).
 */
export function partEnv(part: PartSpec["part"]): Record<string, string> {
  const name = Deno.env.get("OTEL_SERVICE_NAME") ?? `skerry-${part}`;
  return { MALLOC_ARENA_MAX: "1", OTEL_SERVICE_NAME: name };
}

/** The folder of this project; relative paths count from here, as `deno task` runs here. */
export const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

function withAbsolutePaths(spec: PartSpec): PartSpec {
  switch (spec.part) {
    case "hub":
      return { ...spec, options: resolvePaths(HUB_OPTIONS, spec.options, ROOT) };
    case "agent":
      return { ...spec, options: resolvePaths(AGENT_OPTIONS, spec.options, ROOT) };
    case "runner":
      return { ...spec, options: resolvePaths(RUNNER_OPTIONS, spec.options, ROOT) };
  }
}

/** A part that the launcher keeps running. */
export interface RunningPart {
  readonly part: PartSpec["part"];
  /** What the part said when it first served. Rejects when it gave up before that. */
  readonly ready: Promise<ReadyLine["ready"]>;
  /** Resolves when the part has ended for good. */
  readonly ended: Promise<Ended>;
}

/** How a part ended. */
export interface Ended {
  readonly code: number;
  /** The signal that killed it. */
  readonly signal?: string;
  /** What it gave as the reason. */
  readonly reason?: string;
}

/** A sentence on how a part ended. */
export function endedText(part: string, { code, signal, reason }: Ended): string {
  const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
  return `the ${part} ${how}${reason ? `: ${reason}` : ""}`;
}

/** Exit codes after which starting the part again cannot help. */
const FINAL: ReadonlySet<number> = new Set([
  EXIT.ok,
  EXIT.usage,
  EXIT.cannotCreate,
  EXIT.noState,
  EXIT.needsJoin,
  EXIT.unsupported,
]);

const BACKOFF = { base: ms(500), cap: seconds(30) };
/** So often a state that another process uses is tried: that one may be ending just now. */
const IN_USE_TRIES = 4;

/**
 * Whether the part is started again after `ended`, the `inUse`th time in a row that its state was
 * in use.
 */
export function startsAgain({ code, signal }: Ended, inUse: number): boolean {
  if (signal) return true;
  return code === EXIT.inUse ? inUse < IN_USE_TRIES : !FINAL.has(code);
}

/** What {@linkcode launchPart} obeys. */
export interface LaunchStops {
  /** Stops the part: SIGTERM, and SIGKILL after 40 s. */
  readonly stop: AbortSignal;
  /** Kills the part at once. */
  readonly force?: AbortSignal;
}

/**
 * Starts a part and starts it again with back-off when it dies, until it is stopped; says so on
 * standard error, where the part's log lines go as well.
 *
 * @throws {AppError} BadRequest when its options cannot be made into permissions
 */
export function launchPart(spec: PartSpec, stops: LaunchStops): RunningPart {
  const ready = Promise.withResolvers<ReadyLine["ready"]>();
  ready.promise.catch(() => {});
  const child = { part: spec.part, args: partArgs(spec), onReady: ready.resolve };
  const ended = keepRunning(child, stops);
  ended.then((how) => ready.reject(new Error(endedText(spec.part, how))), ready.reject);
  return { part: spec.part, ready: ready.promise, ended };
}

interface Child {
  readonly part: PartSpec["part"];
  readonly args: string[];
  readonly onReady: (facts: ReadyLine["ready"]) => void;
}

async function keepRunning(child: Child, stops: LaunchStops): Promise<Ended> {
  const { stop, force } = stops;
  const over = force ? AbortSignal.any([stop, force]) : stop;
  let inUse = 0;
  for (let attempt = 0;; attempt++) {
    const started = systemClock.monotonic();
    const how = await runOnce(child, stops);
    inUse = how.code === EXIT.inUse ? inUse + 1 : 0;
    if (over.aborted || !startsAgain(how, inUse)) return how;
    if (systemClock.monotonic() - started > seconds(60)) attempt = 0;
    const wait = backoffDelay(BACKOFF, attempt, systemRandom);
    warn(`${endedText(child.part, how)}; starting it again in ${(wait / 1000).toFixed(1)} s`);
    try {
      await sleep(systemClock, wait, over);
    } catch {
      return how;
    }
  }
}

async function runOnce(
  { part, args, onReady }: Child,
  { stop, force }: LaunchStops,
): Promise<Ended> {
  if (stop.aborted) return { code: EXIT.ok };
  const child = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { ...partEnv(part), [LAUNCHED]: "1" },
  }).spawn();
  const onStop = (): void => stopChild(child);
  const onForce = (): void => kill(child, "SIGKILL");
  stop.addEventListener("abort", onStop, { once: true });
  force?.addEventListener("abort", onForce, { once: true });
  try {
    let reason: string | undefined;
    for await (const line of lines(child.stdout)) {
      const found = parseReady(line);
      reason = parseFailed(line) ?? reason;
      if (found) onReady(found.ready);
      else if (!parseFailed(line)) say(line);
    }
    const { code, signal } = await child.status;
    return { code, ...(signal ? { signal } : {}), ...(reason ? { reason } : {}) };
  } finally {
    stop.removeEventListener("abort", onStop);
    force?.removeEventListener("abort", onForce);
  }
}

/** TERM now, KILL when that did not end it in 40 s (a pod's default grace and some). */
function stopChild(child: Deno.ChildProcess): void {
  kill(child, "SIGTERM");
  const timer = systemClock.timer(seconds(40), () => kill(child, "SIGKILL"));
  child.status.finally(() => timer[Symbol.dispose]());
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    // It has ended already; anything else would leave a process behind and must be seen.
    if (!/terminated|not found/i.test(errorText(error))) throw error;
  }
}

/** Splits a byte stream into lines. */
export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of stream.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>
  ) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") yield rest;
}

/**
 * An abort signal that fires on the first Ctrl-C or SIGTERM. The terminal sends Ctrl-C to the
 * children too; they stop at SIGINT as at SIGTERM.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => controller.abort(new Error(`stopped by ${name}`)));
  }
  return controller.signal;
}

/**
 * When a launcher is to stop its parts: at Ctrl-C or SIGTERM, and when the npx that started it has
 * ended. A second Ctrl-C kills them.
 */
export function launcherStops(): Required<LaunchStops> {
  const gone = new AbortController();
  const watch = watchNpx(() => gone.abort(new Error("npx, which started this, has ended")));
  const stop = AbortSignal.any([stopSignal(), gone.signal]);
  const force = new AbortController();
  let since = Infinity;
  stop.addEventListener("abort", () => {
    watch[Symbol.dispose]();
    since = systemClock.monotonic();
  }, { once: true });
  Deno.addSignalListener("SIGINT", () => {
    // One Ctrl-C may come twice: from the terminal, and from a parent that passes it on.
    if (systemClock.monotonic() - since > seconds(1)) {
      force.abort(new Error("stopped by a second SIGINT"));
    }
  });
  return { stop, force: force.signal };
}

function entry(path: string): string {
  return `${ROOT}/${path}`;
}
