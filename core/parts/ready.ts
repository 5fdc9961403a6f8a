/**
 * The line that a part prints on standard output when it serves, for the launcher and for scripts.
 * One JSON object: `{"ready": {...}}`. Everything else that a part says goes to standard error.
 */
export interface ReadyLine {
  readonly ready: Readonly<Record<string, string | number | boolean>>;
}

/** Tells the launcher that this part serves, and where. */
export function printReady(facts: ReadyLine["ready"]): void {
  const line = new TextEncoder().encode(`${JSON.stringify({ ready: facts })}\n`);
  try {
    for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
  } catch {
    // Nobody reads it any more: the launcher is gone, and this part goes on without it.
  }
}

/** Tells the launcher why this part ends, in the last line that it prints: `{"failed": "..."}`. */
export function printFailed(reason: string): void {
  try {
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ failed: reason })}\n`));
  } catch {
    // Nobody reads it any more; the log has it as well.
  }
}

/** Reads a line of a part's output; `undefined` when it does not say why the part ends. */
export function parseFailed(line: string): string | undefined {
  if (!line.startsWith('{"failed":')) return undefined;
  try {
    return String((JSON.parse(line) as { failed: unknown }).failed);
  } catch {
    return undefined;
  }
}

/** Reads a line of a part's output; `undefined` when it is no ready line. */
export function parseReady(line: string): ReadyLine | undefined {
  if (!line.startsWith('{"ready":')) return undefined;
  try {
    return JSON.parse(line) as ReadyLine;
  } catch {
    return undefined;
  }
}

/** Exit codes of every part; they are API (sysexits.h words where one fits). */
export const EXIT = {
  ok: 0,
  /** A part failed; starting it again may help. */
  failure: 1,
  /** Options or files that a person must mend: starting it again will not help. */
  usage: 64,
  /** A port is taken, a socket cannot be made. */
  cannotCreate: 73,
  /** The state cannot be used: its folder cannot be written, or its store is damaged. */
  noState: 74,
  /** The state is in use by another process: starting it again helps when that one has ended. */
  inUse: 75,
  /** The node must be joined (again) by a person with a token. */
  needsJoin: 77,
  /** This machine or its libraries cannot run the part. */
  unsupported: 78,
} as const;
