/** Reads a dotted path of members, `undefined` when a step is absent. */
export function getPath(object: unknown, path: string): unknown {
  let at: unknown = object;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** Writes a dotted path of members, making the objects on the way. The path must not come from outside. */
export function setPath(object: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop();
  let at = object;
  for (const key of keys) {
    const next = at[key];
    const inner = typeof next === "object" && next !== null ? next : {};
    at[key] = inner;
    at = inner as Record<string, unknown>;
  }
  if (last !== undefined) at[last] = value;
}
