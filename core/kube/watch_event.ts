import { AppError } from "../base/mod.ts";
import type { KubeObject } from "../api/mod.ts";
import { deepFreeze, type WatchEvent } from "../store/mod.ts";
import { errorOfAnswer } from "./errors.ts";

/**
 * Reads one line of a watch. Pure but for the freezing of what it made.
 *
 * @throws {AppError} what an ERROR event tells, e.g. Expired for its 410; ServiceUnavailable for
 * rubbish: an event that cannot be read must not be taken as seen
 */
export function readWatchLine(line: string, what: string): WatchEvent {
  let event: { type?: unknown; object?: unknown } | null;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new AppError("ServiceUnavailable", `the answer to ${what} broke off`, { cause });
  }
  const object = event?.object as KubeObject | null | undefined;
  if (event?.type === "ERROR") {
    const code = Number((object as { code?: unknown } | null)?.code ?? 500);
    throw errorOfAnswer(what, code, object);
  }
  const resourceVersion = object?.metadata?.resourceVersion;
  if (!object || typeof resourceVersion !== "string" || !/^\d+$/.test(resourceVersion)) {
    throw new AppError("ServiceUnavailable", `${what}: an event without an object came`);
  }
  switch (event?.type) {
    case "BOOKMARK":
      return { type: "BOOKMARK", resourceVersion };
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (typeof object.metadata.name !== "string") {
        throw new AppError("ServiceUnavailable", `${what}: an object without a name came`);
      }
      return { type: event.type, object: arrived(object), resourceVersion };
    default:
      throw new AppError(
        "ServiceUnavailable",
        `${what}: an event of type ${JSON.stringify(event?.type)} came`,
      );
  }
}

/** An object as it is kept: without what only servers use, and frozen. */
export function arrived(object: KubeObject): KubeObject {
  delete object.metadata.managedFields;
  return deepFreeze(object);
}
