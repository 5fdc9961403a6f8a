import { watchNpx } from "./npx.ts";
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
  EXIT,
  formatOptions,
  HUB_OPTIONS,
  type HubOptions,
  hubPermissions,
  LAUNCHED,
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
  | { readonly part: "hub"; readonly options: HubOptions }
  | { readonly part: "agent"; readonly options: AgentOptions }
  | { readonly part: "runner"; readonly options: RunnerOptions; readonly library: string };

/**
 * V8 keeps less young garbage and smaller code, and the part may give unused heap back: a gateway
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
        "-P=cloud",
        ...permissionFlags(hubPermissions(spec.options)),
        entry("cloud/main.ts"),
        ...formatOptions(HUB_OPTIONS, spec.options),
      ];
    case "agent":
      return [
        ...run,
        SMALL_HEAP,
        "-P=agent",
        ...permissionFlags(agentPermissions(spec.options)),
        entry("agent/main.ts"),
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

/** The environment of a part: one heap of the C library, not one for each of some ten threads. */
export function partEnv(): Record<string, string> {
  return { MALLOC_ARENA_MAX: "1" };
}

/** The folder of this project; relative paths count from here, as `deno task` runs here. */
const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

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
  /** Resolves with the exit code when the part has ended for good. */
  readonly ended: Promise<number>;
}

/** Exit codes after which starting the part again cannot help. */
const FINAL: ReadonlySet<number> = new Set([
  EXIT.ok,
  EXIT.usage,
  EXIT.cannotCreate,
  EXIT.needsJoin,
  EXIT.unsupported,
]);

/**
 * Starts a part and starts it again with back-off when it dies, until `stop` aborts; then it gets
 * SIGTERM, and SIGKILL after 40 s. The part's log lines go to this process's standard error.
 */
export function launchPart(spec: PartSpec, stop: AbortSignal): RunningPart {
  const ready = Promise.withResolvers<ReadyLine["ready"]>();
  ready.promise.catch(() => {});
  const ended = (async () => {
    for (let attempt = 0;; attempt++) {
      const started = systemClock.monotonic();
      const code = await runOnce(spec, stop, ready.resolve);
      if (stop.aborted || FINAL.has(code)) {
        ready.reject(new Error(`the ${spec.part} ended with exit code ${code}`));
        return code;
      }
      if (systemClock.monotonic() - started > seconds(60)) attempt = 0;
      try {
        const backoff = { base: ms(500), cap: seconds(30) };
        await sleep(systemClock, backoffDelay(backoff, attempt, systemRandom), stop);
      } catch {
        return code;
      }
    }
  })();
  return { part: spec.part, ready: ready.promise, ended };
}

async function runOnce(
  spec: PartSpec,
  stop: AbortSignal,
  onReady: (facts: ReadyLine["ready"]) => void,
): Promise<number> {
  if (stop.aborted) return EXIT.ok;
  const child = new Deno.Command(Deno.execPath(), {
    args: partArgs(spec),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { ...partEnv(), [LAUNCHED]: "1" },
  }).spawn();
  const onStop = (): void => stopChild(child);
  stop.addEventListener("abort", onStop, { once: true });
  try {
    for await (const line of lines(child.stdout)) {
      const found = parseReady(line);
      if (found) onReady(found.ready);
      else Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
    }
    return (await child.status).code;
  } finally {
    stop.removeEventListener("abort", onStop);
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

/** A {@linkcode stopSignal} that also fires when the npx that started this launcher has ended. */
export function launcherStopSignal(): AbortSignal {
  const gone = new AbortController();
  const watch = watchNpx(() => gone.abort(new Error("npx, which started this, has ended")));
  const signal = AbortSignal.any([stopSignal(), gone.signal]);
  signal.addEventListener("abort", () => watch[Symbol.dispose](), { once: true });
  return signal;
}

function entry(path: string): string {
  return `${ROOT}/${path}`;
}
