import {
  AppError,
  type Clock,
  deadline,
  type ErrorCode,
  errorText,
  type Ms,
} from "../../core/base/mod.ts";
import type { CompileJob, CompileReport, EngineSettings, ProbeResult } from "../engine/mod.ts";

const MAIN = new URL("../engine/child_main.ts", import.meta.url);

/** Options of {@linkcode compileInChild} and {@linkcode probeInChild}. */
export interface ChildOptions {
  readonly clock: Clock;
  /** Time until the process is killed. */
  readonly timeout: Ms;
  readonly signal?: AbortSignal;
}

/**
 * Compiles and tries a module in a short-lived process of low priority.
 *
 * @throws {AppError} Invalid when the module is at fault; Timeout; InternalError when the process died
 */
export async function compileInChild(
  job: CompileJob,
  options: ChildOptions,
): Promise<CompileReport> {
  const folder = job.output.slice(0, job.output.lastIndexOf("/"));
  return await runChild<CompileReport>(["compile", JSON.stringify(job)], {
    ...options,
    read: [job.library, job.input, folder],
    write: [folder],
    what: "the compiler",
  });
}

/**
 * Tries engine settings in a process of their own, because wrong ones abort a process.
 *
 * @throws {AppError} Unsupported when the library is at fault; InternalError when the process died
 */
export async function probeInChild(
  library: string,
  settings: EngineSettings,
  options: ChildOptions,
): Promise<ProbeResult> {
  return await runChild<ProbeResult>(["probe", JSON.stringify({ library, settings })], {
    ...options,
    read: [library],
    write: [],
    what: "the engine's probe",
  });
}

async function runChild<T>(
  args: string[],
  options: ChildOptions & {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly what: string;
  },
): Promise<T> {
  const { clock, timeout, what } = options;
  const late = new AppError("Timeout", `${what} took longer than ${timeout / 1000} s`);
  using limit = deadline(clock, timeout, () => late, options.signal);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--quiet", "--cached-only", "--allow-ffi"],
      ...permissionFlag("read", options.read),
      ...permissionFlag("write", options.write),
      MAIN.pathname,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { MALLOC_ARENA_MAX: "1" },
    signal: limit.signal,
  });
  const output = await child.output();
  limit.signal.throwIfAborted();
  return readAnswer<T>(output, what);
}

function permissionFlag(kind: string, paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`--allow-${kind}=${paths.join(",")}`];
}

function readAnswer<T>(output: Deno.CommandOutput, what: string): T {
  const text = new TextDecoder().decode(output.stdout);
  let answer: { ok?: T; error?: { code: ErrorCode; message: string } };
  try {
    answer = JSON.parse(text);
  } catch (error) {
    const said = new TextDecoder().decode(output.stderr).trim().split("\n").slice(-3).join(" ");
    const end = output.signal ? `signal ${output.signal}` : `exit code ${output.code}`;
    throw new AppError("InternalError", `${what} died (${end}): ${said || errorText(error)}`);
  }
  if (answer.error) throw new AppError(answer.error.code, answer.error.message);
  return answer.ok as T;
}
