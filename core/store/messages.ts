import { AppError } from "../base/mod.ts";
import { groupResource, type ResourceDef } from "../api/mod.ts";
import type { Preconditions } from "./store.ts";
import type { KubeObject } from "../api/mod.ts";

/** `pods "web" not found`, in Kubernetes' words. */
export function notFound(resource: ResourceDef, name: string): AppError {
  return new AppError("NotFound", `${groupResource(resource)} "${name}" not found`);
}

/** `pods "web" already exists`, in Kubernetes' words. */
export function alreadyExists(resource: ResourceDef, name: string): AppError {
  return new AppError("AlreadyExists", `${groupResource(resource)} "${name}" already exists`);
}

/** A conflict in Kubernetes' words; `why` says which rule failed. */
export function conflict(resource: ResourceDef, name: string, why: string): AppError {
  return new AppError(
    "Conflict",
    `Operation cannot be fulfilled on ${groupResource(resource)} "${name}": ${why}`,
  );
}

/** The conflict of a writer that had read an older version. */
export function modified(resource: ResourceDef, name: string): AppError {
  return conflict(
    resource,
    name,
    "the object has been modified; please apply your changes to the latest version and try again",
  );
}

/** What of `preconditions` does not hold for `current`; `undefined` when all holds. */
export function failedPrecondition(
  current: KubeObject,
  preconditions: Preconditions | undefined,
): string | undefined {
  const { uid, resourceVersion } = current.metadata;
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    return `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`;
  }
  const wanted = preconditions?.resourceVersion;
  if (wanted !== undefined && wanted !== resourceVersion) {
    return `Precondition failed: ResourceVersion in precondition: ${wanted}, ` +
      `ResourceVersion in object meta: ${resourceVersion}`;
  }
  return undefined;
}

/** @throws {AppError} Conflict when a precondition does not hold */
export function checkPreconditions(
  resource: ResourceDef,
  current: KubeObject,
  preconditions: Preconditions | undefined,
): void {
  const failed = failedPrecondition(current, preconditions);
  if (failed) throw conflict(resource, current.metadata.name, failed);
}

/** A watch or list from before the oldest kept change. */
export function expired(what: string, asked: number, oldest: number): AppError {
  return new AppError(
    "Expired",
    `${what}: version ${asked} is too old or of another history, the oldest kept is ${oldest}; ` +
      `list again without it`,
  );
}
