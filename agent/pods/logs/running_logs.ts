import type { PodPaths } from "../paths.ts";
import type { PodMemory } from "../policy/memory.ts";
import type { RunningLog } from "./rotate.ts";

/** The logs of the containers that run, as far as it is remembered. */
export function runningLogs(memories: readonly PodMemory[], paths: PodPaths): RunningLog[] {
  return memories.filter(({ gone }) => !gone).flatMap((memory) =>
    Object.entries(memory.containers).flatMap(([name, { id, exit, attempt }]) =>
      id === undefined || exit
        ? []
        : [{ containerId: id, path: `${paths.logs(memory)}/${paths.logPath(name, attempt)}` }]
    )
  );
}
