/** Processes for end-to-end tests: each in a session of its own, with its output kept, ended by id. */
import { deadline, ms, seconds, sleep, systemClock } from "../../core/base/mod.ts";

/** The repository. */
export const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** How a process is started. */
export interface StartOptions {
  /** Working directory. @default {the repository} */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Name of the network namespace to run in. @default {this one} */
  readonly netns?: string | undefined;
}

/** The program and arguments that run `command` in `netns`, or as it stands without one. */
export function within(
  netns: string | undefined,
  command: readonly string[],
): [string, ...string[]] {
  const inside = netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`];
  const [program = "false", ...args] = [...inside, ...command];
  return [program, ...args];
}

/** A process that runs beside the test, and everything that it started. */
export class Running implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** The exit code, as a shell tells it, once it is known. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  #text = "";
  #code: number | undefined;
  /** Whether nothing more can come. */
  #silent = false;

  /** Starts `command`; nothing is waited for. */
  constructor(name: string, command: readonly string[], options: StartOptions = {}) {
    this.name = name;
    const [program, ...args] = within(options.netns, command);
    this.#child = new Deno.Command("setsid", {
      args: [program, ...args],
      cwd: options.cwd ?? ROOT,
      // This run may itself be npx's; what it starts must not look for that npx.
      env: { npm_command: "", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#read = Promise.all([this.#keep(this.#child.stdout), this.#keep(this.#child.stderr)])
      .then(() => this.#silent = true);
    this.ended = this.#child.status.then(({ code }) => this.#code = code);
  }

  /** Everything that it has printed, standard output and standard error mixed. */
  get output(): string {
    return this.#text;
  }

  /** The exit code; `undefined` while it runs. */
  get code(): number | undefined {
    return this.#code;
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#text += decoder.decode(chunk, { stream: true });
  }

  /** Waits until it has printed what `pattern` matches. @throws {Error} with all that it printed */
  async prints(pattern: RegExp, limit = 60): Promise<RegExpExecArray> {
    return await until(`${this.name} prints ${pattern}`, () => {
      const found = pattern.exec(this.#text);
      // What it printed last may come after its end.
      if (found === null && this.#code !== undefined && this.#silent) {
        throw new Fatal(`${this.name} ended with ${this.#code}:\n${this.#text}`);
      }
      return found;
    }, limit);
  }

  /** Waits for its end, with all that it printed. @throws {Error} when it still runs after `limit` seconds */
  async exit(limit: number): Promise<number> {
    await until(`${this.name} ends`, () => this.#code !== undefined && this.#silent, limit);
    return this.#code ?? -1;
  }

  /** Sends `signal` to the whole process group, as a terminal does for Ctrl-C. */
  signal(signal: Deno.Signal): void {
    signalId(-this.pid, signal);
  }

  /** Ends it and all that it started at once, as a power cut would. */
  async kill(): Promise<void> {
    await until(`${this.name} and its children end`, async () => {
      const members = await sessionMembers(this.pid);
      for (const pid of members) signalId(pid, "SIGKILL");
      // One that has just been started may not have made its session yet.
      if (members.length === 0 && this.#code === undefined) signalId(this.pid, "SIGKILL");
      return members.length === 0 && this.#code !== undefined;
    });
    await this.ended;
    await this.#read;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** An error that waiting cannot mend. */
export class Fatal extends Error {}

/**
 * Polls `check` until it gives something true. What it throws counts as "not yet".
 * @param limit seconds
 * @throws {Error} naming `what` and the last error, when time is up; {@linkcode Fatal} at once
 */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  limit = 60,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = systemClock.monotonic() + seconds(limit);
  let last: unknown;
  for (;;) {
    try {
      const found = await check();
      if (found) return found as NonNullable<Exclude<T, false>>;
      last = undefined;
    } catch (error) {
      if (error instanceof Fatal) throw error;
      last = error;
    }
    if (systemClock.monotonic() > end) {
      const why = last === undefined
        ? ""
        : `; last: ${last instanceof Error ? last.message : String(last)}`;
      throw new Error(`not within ${limit} s: ${what}${why}`, { cause: last });
    }
    await sleep(systemClock, ms(50));
  }
}

/** What a program printed and how it ended. */
export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end; it is killed after `limit` seconds (90). */
export async function runToEnd(
  command: readonly string[],
  options: StartOptions & { readonly stdin?: string; readonly limit?: number } = {},
): Promise<Output> {
  const [program, ...args] = within(options.netns, command);
  const child = new Deno.Command(program, {
    args,
    cwd: options.cwd ?? ROOT,
    env: { npm_command: "", ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  using limit = deadline(systemClock, seconds(options.limit ?? 90), () => new Error("too long"));
  limit.signal.addEventListener("abort", () => signalId(child.pid, "SIGKILL"));
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(options.stdin ?? "")).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (data: Uint8Array): string => new TextDecoder().decode(data);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Ids of the processes of a session, zombies left out. */
export async function sessionMembers(session: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // After the command in brackets: state, parent, group, session.
    const [, state, id] = /^.*\) (\S) \d+ \d+ (\d+) /s.exec(stat) ?? [];
    if (Number(id) === session && state !== "Z") found.push(Number(name));
  }
  return found;
}

/** Ids of the children of a process, with their command lines. */
export async function childrenOf(
  parent: number,
): Promise<{ readonly pid: number; readonly command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (Number(/^.*\) \S (\d+) /s.exec(stat)?.[1]) !== parent) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    found.push({ pid: Number(name), command: line.replaceAll("\0", " ") });
  }
  return found;
}

/** Sends a signal; a process that is gone is no error. */
export function signalId(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
