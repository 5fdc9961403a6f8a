import { type Ms, ms, seconds } from "../../../core/base/mod.ts";

/** What one rotation does, in this order. All names are of files beside the log. */
export interface RotationPlan {
  /** Leftovers of a rotation that was cut, and what is more than may be kept, the oldest first. */
  readonly remove: readonly string[];
  /** To be compressed: the newest but for the one that is rotated now, which stays readable. */
  readonly compress: readonly string[];
  /** What the log is renamed to. */
  readonly rotated: string;
}

/** The end of a compressed file's name. */
export const COMPRESSED = ".gz";
/** The end of the name of a file that is being written. */
export const UNFINISHED = ".tmp";

/**
 * How a log is rotated, as the kubelet does it (`container_log_manager.go`): the files that were
 * rotated before are `<log>.<time>.gz`, only the newest of them is not compressed. `maxFiles`
 * counts the log itself.
 */
export function planRotation(
  input: {
    /** Name of the log, e.g. `0.log`. */
    readonly log: string;
    /** Names of everything in its folder. */
    readonly names: readonly string[];
    readonly maxFiles: number;
    readonly now: Ms;
  },
): RotationPlan {
  const { log, now } = input;
  const own = rotatedOf(log, input.names);
  const there = new Set(own);
  const [kept, remove]: [string[], string[]] = [[], []];
  for (const name of own) {
    // The plain file goes last, so with both there the compressed one is whole.
    const unused = name.endsWith(UNFINISHED) || there.has(`${name}${COMPRESSED}`);
    (unused ? remove : kept).push(name);
  }
  // Beside these there will be the one that is rotated now, and a new log.
  const excess = kept.splice(0, Math.max(0, kept.length - Math.max(0, input.maxFiles - 2)));
  return {
    remove: [...remove, ...excess],
    compress: kept.filter((name) => !name.endsWith(COMPRESSED)),
    rotated: `${log}.${stampAfter(own, log, now)}`,
  };
}

/** The rotated files of a log among `names`, the oldest first. */
export function rotatedOf(log: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`${log}.`)).sort();
}

/** A time that no file has yet, later than all of them: a clock that was set back must not hide one. */
function stampAfter(own: readonly string[], log: string, now: Ms): string {
  const last = own.map((name) => name.slice(log.length + 1, log.length + 1 + STAMP))
    .filter((text) => /^\d{8}-\d{6}$/.test(text)).sort().at(-1);
  const stamp = stampOf(now);
  return last === undefined || stamp > last ? stamp : stampOf(ms(timeOf(last) + seconds(1)));
}

/** Length of {@linkcode stampOf}. */
const STAMP = 15;

/** `20260102-150405`, in UTC. */
function stampOf(at: Ms): string {
  return new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
}

function timeOf(stamp: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/.exec(stamp)?.map(Number) ?? [];
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}
