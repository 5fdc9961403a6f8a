import { isMap, type Json, jsonEqual, type JsonMap, own, setOwn } from "./json_value.ts";

/** Applies a JSON merge patch (RFC 7386) and returns the new value; the arguments stay as they are. */
export function jsonMergePatch(target: unknown, patch: unknown): unknown {
  return merge(target as Json, patch as Json);
}

function merge(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return structuredClone(patch);
  const out: JsonMap = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else setOwn(out, key, merge(own(out, key), value));
  }
  return out;
}

/**
 * The JSON merge patch that makes `to` of `from`, both without nulls; `undefined` when they are
 * equal. Fields that are `undefined` count as absent. Pure.
 */
export function jsonMergeDiff(from: JsonMap, to: JsonMap): JsonMap | undefined {
  const out: JsonMap = {};
  for (const key of Object.keys(from)) if (own(to, key) === undefined) setOwn(out, key, null);
  for (const [key, wanted] of Object.entries(to)) {
    const current = own(from, key);
    if (wanted === undefined || (current !== undefined && jsonEqual(current, wanted))) continue;
    const both = isMap(current) && isMap(wanted) ? jsonMergeDiff(current, wanted) : undefined;
    setOwn(out, key, both ?? wanted);
  }
  return Object.keys(out).length > 0 ? out : undefined;
}
