import { ms, systemClock } from "../core/base/mod.ts";

/** How often the launcher looks whether npx is still there. */
const EVERY = ms(1_000);

/**
 * Calls `gone` when the `npx` that this process was started by has ended. npx does not pass a
 * SIGTERM on to what it runs, so without this a stopped `npx deno task up` would leave everything
 * running. Does nothing when the process was started in another way.
 */
export function watchNpx(gone: () => void): Disposable {
  const task = Deno.ppid; // `deno task`, whose parent is the shell that npx starts
  const shell = parentOf(task);
  if (shell === undefined || !commandOf(shell).startsWith("sh\0-c\0")) {
    return { [Symbol.dispose]() {} };
  }
  let timer: Disposable;
  const look = (): void => {
    if (Deno.ppid !== task || parentOf(task) !== shell) gone();
    else timer = systemClock.timer(EVERY, look);
  };
  timer = systemClock.timer(EVERY, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** The parent of a process, from `/proc`. */
function parentOf(pid: number): number | undefined {
  // The second field is the command in brackets and may itself hold brackets and spaces.
  const parent = /^.*\) \S (\d+) /s.exec(readProc(pid, "stat"))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function commandOf(pid: number): string {
  return readProc(pid, "cmdline");
}

function readProc(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return ""; // The process has ended.
  }
}
