/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly output: string;
  /** It ran longer than its limit and was ended. */
  readonly timedOut: boolean;
  /** Programs of its process group that outlived it, and were ended. */
  readonly leftBehind: readonly string[];
}

/** Options of {@linkcode runLimited}. */
export interface RunOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Seconds. */
  readonly limit: number;
  /** Called with each whole line as it comes. */
  readonly onLine?: (line: string) => void;
  readonly signal: AbortSignal;
}

const GRACE = 5_000;
const DRAIN = 2_000;

/**
 * Runs a program in a process group of its own, with no standard input, and collects what it
 * prints. When it takes longer than its limit, or `signal` aborts, the whole group is ended; what
 * is left of the group after a normal end is ended as well and named.
 */
export async function runLimited(program: string, options: RunOptions): Promise<Ended> {
  const child = new Deno.Command(program, {
    args: [...options.args],
    env: { ...options.env },
    cwd: options.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const chunks: string[] = [];
  const pipes = [collect(child.stdout, chunks, options), collect(child.stderr, chunks, options)];
  let timedOut = false;
  let kill: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    endGroup(child.pid, "SIGTERM");
    kill ??= setTimeout(() => endGroup(child.pid, "SIGKILL"), GRACE);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.limit * 1000);
  if (options.signal.aborted) stop();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    const { code } = await child.status;
    const leftBehind = await sweep(child.pid);
    await within(Promise.all(pipes.map(({ done }) => done)), DRAIN);
    return { code, output: chunks.join(""), timedOut, leftBehind };
  } finally {
    clearTimeout(limit);
    clearTimeout(kill);
    options.signal.removeEventListener("abort", stop);
    for (const pipe of pipes) await pipe.cancel();
  }
}

interface Pipe {
  readonly done: Promise<void>;
  cancel(): Promise<void>;
}

function collect(stream: ReadableStream<Uint8Array>, into: string[], options: RunOptions): Pipe {
  const reader = stream.pipeThrough(new TextDecoderStream() as never).getReader();
  const read = async (): Promise<void> => {
    let rest = "";
    while (true) {
      const { done, value } = await reader.read() as { done: boolean; value?: string };
      if (done) break;
      into.push(value ?? "");
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onLine?.(line);
    }
    if (rest !== "") options.onLine?.(rest);
  };
  return { done: read().catch(() => {}), cancel: () => reader.cancel().catch(() => {}) };
}

/** Ends what is left of the process group, after a moment to end by itself. */
async function sweep(group: number): Promise<string[]> {
  for (let waited = 0; waited < DRAIN && groupMembers(group).length > 0; waited += 50) {
    await wait(50);
  }
  const left = groupMembers(group);
  if (left.length > 0) endGroup(group, "SIGKILL");
  return left;
}

/** Command lines of the living members of a process group; empty where there is no /proc. */
export function groupMembers(group: number): string[] {
  if (Deno.build.os !== "linux") return [];
  const out: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(pgrp) !== group || state === "Z") continue;
      out.push(Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim());
    } catch {
      // It ended while we looked.
    }
  }
  return out;
}

function endGroup(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch {
    // The group has ended already.
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits for `work`, but no longer than `milliseconds`. */
async function within(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, milliseconds);
  try {
    await Promise.race([work, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
