import { isMap, type Json, type JsonMap, own, setOwn } from "./json_value.ts";

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
