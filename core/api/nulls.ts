import { AppError } from "../base/mod.ts";

/**
 * A copy without the members that are null: in Kubernetes' JSON null is the same as absent. Nothing
 * past this point need know of null.
 *
 * @throws {AppError} BadRequest naming an item of a list that is null: what it should be, nobody knows
 */
export function dropNulls<T>(value: T, path = ""): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const at = `${path}[${index}]`;
      if (item === null) throw new AppError("BadRequest", `${at}: must not be null`);
      return dropNulls(item, at);
    }) as T;
  }
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== null) out[key] = dropNulls(member, path === "" ? key : `${path}.${key}`);
  }
  return out as T;
}
