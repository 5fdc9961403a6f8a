import { ms, sleep, systemClock } from "../core/base/mod.ts";

/** When (monotonic clock) a process with `marker` among its arguments was seen in /proc. */
export async function untilProcess(marker: string, signal: AbortSignal): Promise<number> {
  // Processes that were there before cannot be the one; a new one is looked at until it shows it.
  const old = new Set(pids());
  for (;;) {
    for (const pid of pids()) {
      if (!old.has(pid) && argumentsOf(pid).includes(marker)) return systemClock.monotonic();
    }
    await sleep(systemClock, ms(2), signal);
  }
}

/** The id of a process with `marker` among its arguments, as soon as there is one. */
export async function pidOf(marker: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const found = pids().find((pid) => argumentsOf(pid).includes(marker));
    if (found !== undefined) return found;
    await sleep(systemClock, ms(10), signal);
  }
}

function pids(): string[] {
  const all: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (name.charCodeAt(0) <= 57 && name.charCodeAt(0) >= 48) all.push(name);
  }
  return all;
}

function argumentsOf(pid: string): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  } catch {
    return []; // It has ended meanwhile.
  }
}
