import { type Clock, isAppError, ms, sleep } from "../../../core/base/mod.ts";
import { READ_TIMEOUT } from "./calls.ts";
import type { GrpcChannel } from "./grpc/channel.ts";
import { NAMESPACE_HEADERS } from "./namespace.ts";

const SIGKILL = 9;
/** A killed process is gone within milliseconds; a machine under load takes longer. */
const TRIES = 40;
const WAIT = ms(50);

/**
 * Removes something by `remove`, also where containerd has lost a process of it: a start that was
 * broken off at the wrong moment leaves a container that CRI calls exited while its task is there, so
 * that CRI neither stops nor removes it, nor the sandbox. containerd's own service ends the task.
 *
 * @throws {AppError} what `remove` throws, Conflict when a task cannot be ended
 */
export async function removeWithTasks(
  remove: () => Promise<void>,
  rim: { readonly channel: GrpcChannel; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const ended = new Set<string>();
  for (;;) {
    try {
      return await remove();
    } catch (error) {
      const id = lostTask(error);
      if (id === undefined || ended.has(id)) throw error;
      ended.add(id);
      await endTask(id, rim);
    }
  }
}

/** The id of the task that is in the way of a removal, in the words of containerd's `container.go`. */
export function lostTask(error: unknown): string | undefined {
  if (!isAppError(error)) return undefined;
  return /cannot delete running task ([0-9a-f]{64})\b/.exec(error.message)?.[1];
}

async function endTask(
  containerId: string,
  { channel, clock, signal }: Parameters<typeof removeWithTasks>[1],
): Promise<void> {
  // Loaded when it is needed, which is rare.
  const { Tasks } = await import("./gen/containerd_tasks_pb.ts");
  const options = { signal, headers: NAMESPACE_HEADERS, timeout: READ_TIMEOUT };
  const kill = { containerId, signal: SIGKILL, all: true };
  for (let tries = 1;; tries++) {
    // It may have ended by itself meanwhile.
    await channel.unary(Tasks.method.kill, kill, options).catch(() => {});
    try {
      return void await channel.unary(Tasks.method.delete, { containerId }, options);
    } catch (error) {
      if (isAppError(error, "NotFound")) return;
      if (signal.aborted || tries === TRIES) throw error;
    }
    await sleep(clock, WAIT, signal);
  }
}
