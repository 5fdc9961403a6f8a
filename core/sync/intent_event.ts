import { z } from "zod";
import { AppError, isAppError } from "../base/mod.ts";
import { type Event, groupResource, type Pod, resourceOfKind, RESOURCES } from "../api/mod.ts";
import type { IntentContext } from "./intents.ts";
import { keyOf } from "./interest.ts";

const { events } = RESOURCES;
/** An Event has at most this many bytes; etcd's own limit is far above what a message needs. */
const MAX_BYTES = 16 * 1024;

/** `event`: something to tell people. */
export const EventBody = z.object({
  event: z.custom<Event>((value) => {
    const event = value as Partial<Event> | null;
    return typeof event?.metadata?.name === "string" && event.metadata.name !== "" &&
      typeof event.metadata.namespace === "string" &&
      typeof event.involvedObject === "object" && event.involvedObject !== null &&
      JSON.stringify(event).length <= MAX_BYTES;
  }, "no Event with name, namespace and involvedObject of at most 16 KiB"),
});

/** Creates the Event, or brings its count, times and message up to date. */
export async function applyEvent(
  context: IntentContext,
  { event }: z.infer<typeof EventBody>,
): Promise<void> {
  await checkInvolved(context, event);
  const { namespace = "", name, labels, annotations } = event.metadata;
  const component = event.source?.component ?? "skerry-agent";
  const written: Event = {
    ...event,
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name,
      namespace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    // Who says it comes from the certificate.
    source: { component, host: context.node },
    reportingInstance: context.node,
  };
  try {
    await context.store.create(events, written);
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    await context.store.update({ resource: events, namespace, name }, (current) => {
      if ((current as Event).source?.host !== context.node) {
        throw new AppError("Forbidden", `event ${namespace}/${name} is another's`);
      }
      const { count, firstTimestamp, lastTimestamp, message, type } = written;
      const changes = { count, firstTimestamp, lastTimestamp, message, type };
      const given = Object.entries(changes).filter(([, value]) => value !== undefined);
      return { ...current, ...Object.fromEntries(given) };
    });
  }
}

/**
 * A node speaks of itself and of what it may see; of an object that is gone it may say how it went.
 *
 * @throws {AppError} Forbidden
 */
async function checkInvolved(context: IntentContext, event: Event): Promise<void> {
  const { apiVersion = "v1", kind = "", namespace, name = "" } = event.involvedObject;
  const resource = resourceOfKind(apiVersion, kind);
  if (resource) {
    const where = resource.namespaced ? namespace : undefined;
    if (context.mayHave(keyOf(groupResource(resource), where, name))) return;
    try {
      const ref = { resource, ...(where ? { namespace: where } : {}), name };
      const live = await context.store.get(ref) as Pod;
      // The view may be behind the store.
      if (resource === RESOURCES.pods && live.spec.nodeName === context.node) return;
    } catch (error) {
      if (isAppError(error, "NotFound")) return;
      throw error;
    }
  }
  throw new AppError(
    "Forbidden",
    `node ${context.node} may not write events about ${kind} ${namespace ?? ""}/${name}`,
  );
}
