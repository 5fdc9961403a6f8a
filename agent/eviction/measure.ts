import type { Pod } from "../../core/api/mod.ts";
import { type PodPaths, podStorage } from "../pods/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { DiskUsage, PodUsage, Usages } from "./usage.ts";

/** What {@linkcode measurePods} measures by. */
export interface Measure {
  readonly runtime: Runtime;
  readonly paths: PodPaths;
}

/**
 * Measures pods: by the runtime, and with `storage` by walking through their volumes and logs,
 * which takes its time. A pod of which nothing runs and nothing lies about uses nothing.
 */
export async function measurePods(
  { runtime, paths }: Measure,
  pods: readonly Pod[],
  options: { readonly storage: boolean; readonly signal: AbortSignal },
): Promise<Usages> {
  const { signal, storage } = options;
  const containers = await runtime.containerUsage(signal);
  // Processes matter only where storage does not.
  const sandboxes = storage ? [] : await runtime.sandboxUsage(signal);
  const out = new Map<string, PodUsage>();
  for (const pod of pods) {
    const { uid = "" } = pod.metadata;
    const own = containers.filter(({ podUid }) => podUid === uid);
    const rootfs = own.flatMap(({ name, filesystem }): [string, DiskUsage][] =>
      filesystem ? [[name, filesystem]] : []
    );
    out.set(uid, {
      memory: new Map(own.map(({ name, workingSet }) => [name, workingSet])),
      processes: sandboxes.filter(({ podUid }) => podUid === uid)
        .reduce((sum, { processes = 0 }) => sum + processes, 0),
      rootfs: new Map(rootfs),
      ...storage ? await podStorage(paths, pod, signal) : { logs: new Map(), volumes: [] },
    });
  }
  return out;
}
