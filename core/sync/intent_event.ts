import { z } from "zod";
import { AppError, fromTime, isAppError, type Ms, toTime } from "../base/mod.ts";
import {
  type Event,
  groupResource,
  KUBELET,
  type Pod,
  resourceOfKind,
  RESOURCES,
} from "../api/mod.ts";
import { BEST_EFFORT } from "../store/mod.ts";
import type { IntentContext } from "./intents.ts";
import { keyOf } from "./object_key.ts";
import { checkObject, checkTypes } from "./reported.ts";

const { events } = RESOURCES;
/** An Event has at most this many bytes; etcd's own limit is far above what a message needs. */
const MAX_BYTES = 16 * 1024;
/** An Event counts at least as so many bytes: its row, its place in the indexes, its watches. */
const MIN_BYTES = 1024;

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
  // Before anything reads its members.
  await checkTypes(events, { ...event, apiVersion: "v1", kind: "Event" });
  await checkInvolved(context, event);
  const { node, store } = context;
  const { namespace = "", name } = event.metadata;
  const written = writtenEvent(context, event);
  await checkObject(events, written);
  try {
    await store.update({ resource: events, namespace, name }, (current) => {
      if ((current as Event).source?.host !== node) {
        throw new AppError("Forbidden", `event ${namespace}/${name} is another's`);
      }
      const { count, firstTimestamp, lastTimestamp, message, type } = written;
      const changes = { count, firstTimestamp, lastTimestamp, message, type };
      const given = Object.entries(changes).filter(([, value]) =>
        value !== undefined && value !== null
      );
      const next = { ...current, ...Object.fromEntries(given) };
      const growth = sizeOf(next) - sizeOf(current);
      if (growth > 0) takeBytes(context, growth);
      return next;
    }, BEST_EFFORT);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
    takeBytes(context, sizeOf(written));
    await store.create(events, written, BEST_EFFORT).catch((problem) => {
      if (!isAppError(problem, "AlreadyExists")) throw problem;
      throw new AppError("Conflict", `event ${namespace}/${name} was made in the same moment`);
    });
  }
}

/** What an Event costs the hub, in bytes. */
function sizeOf(event: unknown): number {
  return Math.max(MIN_BYTES, JSON.stringify(event).length);
}

/** @throws {AppError} TooManyRequests */
function takeBytes({ node, takeEventBytes }: IntentContext, bytes: number): void {
  if (!takeEventBytes || takeEventBytes(bytes)) return;
  const why = `node ${node} has told of too many events: the hub takes more of them later`;
  throw new AppError("TooManyRequests", why);
}

/** The Event as it is stored. Pure. */
function writtenEvent({ node, now }: IntentContext, event: Event): Event {
  const { namespace = "", name, labels, annotations } = event.metadata;
  const component = event.source?.component ?? KUBELET;
  return {
    ...event,
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name,
      namespace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    // A clock that is ahead must not keep the Event longer than others.
    firstTimestamp: notAfter(event.firstTimestamp, now),
    lastTimestamp: notAfter(event.lastTimestamp, now),
    // Who says it comes from the certificate.
    source: { component, host: node },
    reportingInstance: node,
  };
}

function notAfter(time: string | null | undefined, now: Ms): string | null {
  const at = fromTime(time);
  return at === undefined ? null : at > now ? toTime(now) : time ?? null;
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
