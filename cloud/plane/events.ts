import { type Event, type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  fromTime,
  hours,
  isAppError,
  type Logger,
  minutes,
  type Service,
  sleep,
  toTime,
} from "../../core/base/mod.ts";
import type { Action } from "../../core/control/mod.ts";
import { BEST_EFFORT, type Store } from "../../core/store/mod.ts";
import { hashOf } from "./hash.ts";

/** Tells users what was done to an object or why it cannot be done. */
export interface Recorder {
  /** Writes or counts up an Event about `object`. Never throws: an event must not stop the work. */
  record(
    object: KubeObject,
    event: { type: "Normal" | "Warning"; reason: string; message: string },
  ): Promise<void>;
}

/** Events are kept this long after they were last seen, as in Kubernetes. */
const KEEP = hours(1);

/** A recorder that stores Events; the same event about the same object is one object with a count. */
export function createRecorder(
  options: { store: Store; clock: Clock; log: Logger; component: string },
): Recorder {
  const { store, clock, log, component } = options;
  return {
    async record(object, { type, reason, message }) {
      const { name, uid = "" } = object.metadata;
      const namespace = object.metadata.namespace ?? "default";
      const now = toTime(clock.now());
      const eventName = `${name.slice(0, 200)}.${hashOf([uid, component, type, reason, message])}`;
      const ref = { resource: RESOURCES.events, namespace, name: eventName };
      try {
        await store.update(ref, (event) => ({
          ...event,
          count: (event["count"] ?? 1) + 1,
          lastTimestamp: now,
        }), BEST_EFFORT).catch(async (error) => {
          if (!isAppError(error, "NotFound")) throw error;
          const event: Event = {
            apiVersion: "v1",
            kind: "Event",
            metadata: { name: eventName, namespace },
            involvedObject: {
              apiVersion: object.apiVersion,
              kind: object.kind,
              name,
              uid,
              ...(object.metadata.namespace ? { namespace } : {}),
            },
            type,
            reason,
            message,
            count: 1,
            firstTimestamp: now,
            lastTimestamp: now,
            eventTime: null,
            source: { component },
            reportingComponent: component,
            reportingInstance: "",
          };
          await store.create(RESOURCES.events, event, BEST_EFFORT);
        });
      } catch (error) {
        // The namespace is going, or somebody wrote the same event in the same moment.
        if (isAppError(error, "Forbidden", "NotFound", "AlreadyExists", "Conflict")) return;
        log[failureLevel(error)]("an event could not be written", {
          reason,
          error: errorText(error),
        });
      }
    },
  };
}

/** Tells of the pods that were made and deleted for their owner, in Kubernetes' words. */
export async function recordPods(
  recorder: Recorder,
  owner: KubeObject,
  done: { readonly created: readonly KubeObject[]; readonly actions: readonly Action[] },
): Promise<void> {
  for (const { metadata: { name } } of done.created) {
    const message = `Created pod: ${name}`;
    await recorder.record(owner, { type: "Normal", reason: "SuccessfulCreate", message });
  }
  for (const action of done.actions) {
    if (action.do !== "delete") continue;
    const message = `Deleted pod: ${action.object.metadata.name}`;
    await recorder.record(owner, { type: "Normal", reason: "SuccessfulDelete", message });
  }
}

/** Removes Events that were made and last seen an hour ago. */
export function createEventSweep(options: { store: Store; clock: Clock }): Service {
  return {
    name: "event-sweep",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        await sweepEvents(options);
        await sleep(options.clock, minutes(5), signal).catch(() => {});
      }
    },
  };
}

/** One pass of the sweep. Returns how many went. */
export async function sweepEvents(
  { store, clock }: { store: Store; clock: Clock },
): Promise<number> {
  const now = clock.now();
  const before = now - KEEP;
  let count = 0;
  let next: string | undefined;
  do {
    const page = await store.list(RESOURCES.events, {
      limit: 500,
      ...(next === undefined ? {} : { continue: next }),
    });
    for (const item of page.items) {
      // Only the time of creation is the hub's own; a reporter's clock may be ahead.
      const seen = [item.metadata.creationTimestamp, item["lastTimestamp"], item["eventTime"]]
        .map((time) => fromTime(time)).filter((at) => at !== undefined && at <= now);
      if (seen.some((at) => at !== undefined && at >= before)) continue;
      const { name, namespace = "" } = item.metadata;
      await store.delete({ resource: RESOURCES.events, namespace, name }).catch((error) => {
        if (!isAppError(error, "NotFound")) throw error;
      });
      count++;
    }
    next = page.continue;
  } while (next !== undefined);
  return count;
}
