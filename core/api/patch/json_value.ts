import { AppError } from "../../base/mod.ts";

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A JSON object. */
export interface JsonMap {
  [key: string]: Json;
}

/** Whether a value is a JSON object (no array, no null). */
export function isMap(value: unknown): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads an own member; inherited names such as `constructor` are absent. */
export function own(map: JsonMap, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/**
 * Writes a member. @throws {AppError} BadRequest for `__proto__`, which would change the object's
 * prototype instead of its content.
 */
export function setOwn(map: JsonMap, key: string, value: Json): void {
  if (key === "__proto__") {
    throw new AppError("BadRequest", 'the key "__proto__" is not allowed: remove it');
  }
  map[key] = value;
}

/** Whether two JSON values are the same, whatever the order of their members. */
export function jsonEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length &&
      a.every((item, index) => jsonEqual(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]));
}
