import {
  groupResource,
  type JsonMap,
  jsonMergeDiff,
  type KubeObject,
  type ObjectRef,
} from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import type { UpdateOptions } from "../store/mod.ts";

/**
 * What a change does to an object; nothing when it does nothing. The server is not sent the rest: of
 * all else it would ask whether a node may, and a taint that came meanwhile would count as removed.
 *
 * @throws {AppError} Conflict, BadRequest, and what `change` throws
 */
export function patchOf(
  ref: ObjectRef,
  current: KubeObject,
  change: (current: KubeObject) => KubeObject,
  options: UpdateOptions,
): JsonMap | undefined {
  check(ref, current, options);
  const wanted = next(ref, current, change(structuredClone(current)), options);
  return jsonMergeDiff(current as JsonMap, wanted as JsonMap);
}

/** @throws {AppError} Conflict */
function check(ref: ObjectRef, current: KubeObject, { preconditions }: UpdateOptions): void {
  for (const field of ["uid", "resourceVersion"] as const) {
    const wanted = preconditions?.[field];
    if (wanted === undefined || wanted === current.metadata[field]) continue;
    throw new AppError(
      "Conflict",
      `${groupResource(ref.resource)} "${ref.name}": its ${field} is ` +
        `${current.metadata[field]}, not ${wanted}`,
    );
  }
}

/** What is to be stored: what cannot be changed here stays. @throws {AppError} Conflict, BadRequest */
function next(
  ref: ObjectRef,
  current: KubeObject,
  wanted: KubeObject,
  { subresource }: UpdateOptions,
): KubeObject {
  const { resourceVersion: version, name } = wanted.metadata;
  const { metadata } = current;
  const what = `${groupResource(ref.resource)} "${ref.name}"`;
  if (version !== undefined && version !== metadata.resourceVersion) {
    throw new AppError(
      "Conflict",
      `${what}: the change is of version ${version}, the server has ${metadata.resourceVersion}`,
    );
  }
  if (name !== metadata.name || wanted.metadata.namespace !== metadata.namespace) {
    throw new AppError("BadRequest", `${what}: its name cannot be changed to ${name}`);
  }
  if (!ref.resource.hasStatus) return whole(wanted, current);
  if (subresource === "status") return { ...current, status: wanted["status"] };
  const { status: _, ...rest } = wanted;
  return whole(
    current["status"] === undefined
      ? rest as KubeObject
      : { ...rest, status: current["status"] } as KubeObject,
    current,
  );
}

/** Identity is the server's: left out of a change it stays. */
function whole(wanted: KubeObject, { metadata }: KubeObject): KubeObject {
  const { uid, creationTimestamp, resourceVersion, generation } = metadata;
  const fixed = { uid, creationTimestamp, resourceVersion, generation };
  return JSON.parse(JSON.stringify({ ...wanted, metadata: { ...wanted.metadata, ...fixed } }));
}
