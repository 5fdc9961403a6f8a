import { type Clock, deadline, errorText, type Logger, seconds } from "../../core/base/mod.ts";
import { LABEL, type Observation, type Runtime } from "../runtimes/mod.ts";
import type { PodMemory } from "./policy/memory.ts";
import { terminationMessages } from "./messages.ts";
import { viewOf } from "./observer.ts";
import type { PodPaths } from "./paths.ts";
import type { PodRecords } from "./records.ts";
import { shutDown, shutDownGrace } from "./policy/shut_down.ts";
import { isLive } from "./policy/view.ts";

/** What {@linkcode stopAll} works with. */
export interface StopAllOptions {
  readonly runtime: Runtime;
  readonly records: PodRecords;
  readonly paths: PodPaths;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long the stops may take, then how long the rest; the launcher kills the agent after 40 s. */
const STOP_LIMIT = seconds(18);
const REST_LIMIT = seconds(15);

/**
 * Stops every pod of this node, remembers how its containers ended, then removes the sandboxes.
 * Nothing else may work on pods meanwhile. What cannot be stopped is logged and runs on.
 */
export async function stopAll(options: StopAllOptions): Promise<void> {
  const { clock, log, runtime } = options;
  const late = (): Error => new Error("pods took too long to stop");
  try {
    const before = await stopContainers(options, late);
    using rest = deadline(clock, REST_LIMIT, late);
    const after = await runtime.observe(rest.signal);
    // First what they ended with: it cannot be read any more when they are removed.
    const uids = podsOf(before);
    for (const memory of options.records.memories()) {
      if (uids.has(memory.uid)) await remember(options, { memory, before, after });
    }
    await Promise.all(before.sandboxes.map(async ({ id }) => {
      await runtime.stopSandbox(id, rest.signal);
      await runtime.removeSandbox(id, rest.signal);
    }));
    log.info("pods stopped", { count: before.sandboxes.length });
  } catch (error) {
    log.error("some pods may still run", { error: errorText(error) });
  }
}

/** Stops what runs of this node, all at once; returns what there was. */
async function stopContainers(options: StopAllOptions, late: () => Error): Promise<Observation> {
  const { clock, log, records, runtime, nodeName } = options;
  using limit = deadline(clock, STOP_LIMIT, late);
  const all = await runtime.observe(limit.signal);
  const before = {
    sandboxes: all.sandboxes.filter(({ labels }) => labels[LABEL.node] === nodeName),
    containers: all.containers.filter(({ labels }) => labels[LABEL.node] === nodeName),
  };
  const memories = new Map(records.memories().map((memory) => [memory.uid, memory]));
  await Promise.all(
    before.containers.filter(isLive).map(async ({ id, podUid: uid }) => {
      try {
        const grace = shutDownGrace(memories.get(uid), clock.now());
        await runtime.stopContainer(id, grace, limit.signal);
      } catch (error) {
        log.warn("a container could not be stopped", {
          uid,
          container: id,
          error: errorText(error),
        });
      }
    }),
  );
  return before;
}

async function remember(
  options: StopAllOptions,
  seen: { readonly memory: PodMemory; readonly before: Observation; readonly after: Observation },
): Promise<void> {
  const { clock, log, records, paths } = options;
  const { memory } = seen;
  const { uid } = memory;
  try {
    const record = records.read(uid, memory);
    const { pod } = record;
    const before = viewOf(seen.before, uid);
    const after = viewOf(seen.after, uid);
    const messages = pod ? await terminationMessages({ pod, view: after, memory, paths }) : {};
    const next = shutDown(memory, { pod, before, after, now: clock.now(), messages });
    records.commit(record, { memory: next, events: [], gone: false });
  } catch (error) {
    // The next start takes its containers for lost.
    log.warn("the end of a pod could not be noted", { uid, error: errorText(error) });
  }
}

function podsOf({ sandboxes, containers }: Observation): Set<string> {
  return new Set([...sandboxes, ...containers].map((one) => one.podUid));
}
