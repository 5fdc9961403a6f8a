import {
  type Bytes,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  seconds,
  type Service,
  sleep,
} from "../../../core/base/mod.ts";
import { namesIn, removeFile, splitPath } from "./log_files.ts";
import { COMPRESSED, planRotation, UNFINISHED } from "./rotate_plan.ts";

/** A log that a container writes to now. */
export interface RunningLog {
  readonly containerId: string;
  /** Absolute path. */
  readonly path: string;
}

/** Options of {@linkcode logRotation}. */
export interface LogRotationOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The logs that are written to. */
  readonly running: () => readonly RunningLog[];
  /** Makes the runtime open the file of that name anew. */
  readonly reopen: (containerId: string, signal: AbortSignal) => Promise<void>;
  /** A log of this size is rotated. */
  readonly maxSize: Bytes;
  /** Files kept of one log, itself included; at least 2. */
  readonly maxFiles: number;
}

/** As often as a kubelet (`containerLogMonitorInterval`). */
const EVERY = seconds(10);

/** Keeps container logs small: looks at their sizes every 10 s, one file after the other. */
export function logRotation(options: LogRotationOptions): Service {
  return {
    name: "log-rotation",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        for (const log of options.running()) {
          if (signal.aborted) break;
          await tryOne(options, log, signal);
        }
        await sleep(options.clock, EVERY, signal).catch(() => {});
      }
    },
  };
}

/** One log that cannot be rotated, e.g. on a full disk, must not keep the others from it. */
async function tryOne(
  options: LogRotationOptions,
  log: RunningLog,
  signal: AbortSignal,
): Promise<void> {
  try {
    await rotateIfDue(options, log, signal);
  } catch (error) {
    if (signal.aborted) return;
    const fields = { path: log.path, error: errorText(error) };
    // The container has ended since, or the runtime is away: the next look sees that.
    if (isAppError(error)) options.log.debug("a log could not be rotated", fields);
    else options.log.warn("a log could not be rotated", fields);
  }
}

/**
 * Rotates a log that has grown to its size; of one whose file is gone (an agent that was killed
 * between renaming and reopening) only the second half is done.
 *
 * @throws what files or the runtime throw; then the log is as before or is found without a file
 */
export async function rotateIfDue(
  options: LogRotationOptions,
  { containerId, path }: RunningLog,
  signal: AbortSignal,
): Promise<void> {
  const { clock, maxFiles, maxSize, reopen } = options;
  const size = await sizeOf(path);
  if (size === undefined) return await reopen(containerId, signal);
  if (size < maxSize) return;
  const { folder, log } = splitPath(path);
  const names = await namesIn(folder);
  const plan = planRotation({ log, names, maxFiles, now: clock.now() });
  for (const name of plan.remove) await removeFile(`${folder}/${name}`);
  for (const name of plan.compress) await compress(`${folder}/${name}`, signal);
  const rotated = `${folder}/${plan.rotated}`;
  await Deno.rename(path, rotated);
  try {
    await reopen(containerId, signal);
  } catch (error) {
    // Back, so that the container's next lines are found; unless the runtime did open a new one.
    if (await sizeOf(path) === undefined) await Deno.rename(rotated, path);
    throw error;
  }
  options.log.debug("log rotated", { path, size });
}

/** Whole or not at all: readers and the next rotation see `<path>` until `<path>.gz` is complete. */
async function compress(path: string, signal: AbortSignal): Promise<void> {
  const unfinished = `${path}${UNFINISHED}`;
  const mode = ((await Deno.lstat(path)).mode ?? 0o640) & 0o777;
  using to = await Deno.open(unfinished, { write: true, create: true, truncate: true, mode });
  const from = await Deno.open(path);
  const packed = from.readable.pipeThrough(new CompressionStream("gzip"));
  // By hand: `pipeTo` with `preventClose` says that it is done before the last bytes are written.
  for await (const chunk of packed) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length;) at += await to.write(chunk.subarray(at));
  }
  await to.syncData();
  await Deno.rename(unfinished, `${path}${COMPRESSED}`);
  await removeFile(path);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.lstat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
