import { AppError } from "../base/mod.ts";
import type { KubeObject } from "../api/mod.ts";

/** Freezes a JSON value all the way down and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const key of Object.keys(value)) deepFreeze((value as Record<string, unknown>)[key]);
  }
  return value;
}

/** Whether two JSON values mean the same; the order of an object's fields does not matter. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) =>
    Object.hasOwn(b, key) &&
    deepEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])
  );
}

/**
 * A mutable copy of `object` with exactly what JSON keeps of it.
 *
 * @throws {AppError} BadRequest when it is no JSON object with `metadata` (cycles, too deep, no object)
 */
export function copyObject(object: KubeObject): KubeObject {
  let copy: unknown;
  try {
    copy = JSON.parse(JSON.stringify(object) ?? "null");
  } catch (cause) {
    throw new AppError("BadRequest", "the object cannot be written as JSON", { cause });
  }
  const metadata = (copy as { metadata?: unknown } | null)?.metadata;
  if (isDeeper(copy, MAX_DEPTH)) {
    throw new AppError("BadRequest", `the object is nested more than ${MAX_DEPTH} levels deep`);
  }
  if (!isPlain(copy) || (metadata !== undefined && !isPlain(metadata))) {
    throw new AppError("BadRequest", "an object must be a JSON object with an object as metadata");
  }
  copy.metadata ??= {};
  return copy as KubeObject;
}

/** Deeper objects would end recursive readers on a small stack; no Kubernetes kind comes near. */
const MAX_DEPTH = 200;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same object, deeply frozen before, with another `resourceVersion`. */
export function withVersion(object: KubeObject, rv: number): KubeObject {
  const metadata = Object.freeze({ ...object.metadata, resourceVersion: String(rv) });
  return Object.freeze({ ...object, metadata });
}
