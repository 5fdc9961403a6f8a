import { AppError } from "../../base/mod.ts";
import { isMap, type Json, jsonEqual, type JsonMap, own, setOwn } from "./json_value.ts";
import { type MergeField, mergeField } from "./merge_keys.ts";

const DELETE_FROM_SET = "$deleteFromPrimitiveList/";
const ORDER = "$setElementOrder/";

/**
 * Applies a strategic merge patch to an object of `kind` and returns the new object; the arguments
 * stay as they are. Directives: `$patch` (replace, delete, merge), `$retainKeys`,
 * `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
 * @throws {AppError} BadRequest when a directive or a list item cannot be read
 */
export function strategicMergePatch(target: unknown, patch: unknown, kind: string): unknown {
  return mergeMap(asMap(target, "the object"), asMap(patch, "the patch"), kind);
}

function asMap(value: unknown, what: string): JsonMap {
  if (!isMap(value)) throw new AppError("BadRequest", `${what} must be a JSON object`);
  return value;
}

function mergeMap(target: JsonMap, patch: JsonMap, type: string | undefined): JsonMap {
  const directive = own(patch, "$patch");
  if (directive === "replace") return withoutDirectives(patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") throw unknownDirective(directive);
  const out = retained(target, own(patch, "$retainKeys"));
  for (const [key, value] of Object.entries(patch)) {
    if (key === "$patch" || key === "$retainKeys") continue;
    if (key.startsWith(DELETE_FROM_SET)) {
      deleteFromSet(out, key.slice(DELETE_FROM_SET.length), value);
    } else if (key.startsWith(ORDER)) {
      if (!Object.hasOwn(patch, key.slice(ORDER.length))) reorder(out, target, key, value, type);
    } else if (value === null) delete out[key];
    else mergeMember(out, patch, key, value, type);
  }
  return out;
}

function retained(target: JsonMap, keys: Json | undefined): JsonMap {
  if (keys === undefined) return { ...target };
  if (!Array.isArray(keys)) throw unknownDirective("$retainKeys that is no list");
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)));
}

function mergeMember(
  out: JsonMap,
  patch: JsonMap,
  key: string,
  value: Json,
  type: string | undefined,
): void {
  const rule = mergeField(type, key);
  const before = own(out, key);
  if (isMap(value)) {
    setOwn(out, key, mergeMap(isMap(before) ? before : {}, value, rule?.type));
    if (own(value, "$patch") === "delete") delete out[key];
    return;
  }
  if (!Array.isArray(value) || (rule?.key === undefined && !rule?.set)) {
    return setOwn(out, key, structuredClone(value));
  }
  const list = Array.isArray(before) ? before : [];
  const order = own(patch, ORDER + key);
  if (rule.set) setOwn(out, key, ordered(union(list, value), list, order, (item) => item));
  else setOwn(out, key, mergeList(list, value, rule.key ?? "", rule, order));
}

function union(list: readonly Json[], more: readonly Json[]): Json[] {
  const out = [...list];
  for (const item of more) if (!out.some((one) => jsonEqual(one, item))) out.push(item);
  return out;
}

function deleteFromSet(out: JsonMap, key: string, value: Json): void {
  const list = own(out, key);
  if (!Array.isArray(value)) throw unknownDirective(`${DELETE_FROM_SET}${key} that is no list`);
  if (!Array.isArray(list)) return;
  setOwn(out, key, list.filter((item) => !value.some((gone) => jsonEqual(gone, item))));
}

function mergeList(
  list: readonly Json[],
  patch: readonly Json[],
  key: string,
  rule: MergeField,
  order: Json | undefined,
): Json[] {
  const replaces = patch.some((item) =>
    isMap(item) && own(item, "$patch") === "replace" && !Object.hasOwn(item, key)
  );
  let out: Json[] = replaces ? [] : [...list];
  for (const item of patch) {
    const id = isMap(item) ? own(item, key) : undefined;
    const directive = isMap(item) ? own(item, "$patch") : undefined;
    if (replaces && directive === "replace" && id === undefined) continue;
    if (!isMap(item) || id === undefined) {
      throw new AppError(
        "BadRequest",
        `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`,
      );
    }
    if (directive === "delete") {
      out = out.filter((one) => !(isMap(one) && jsonEqual(own(one, key), id)));
      continue;
    }
    const at = out.findIndex((one) => isMap(one) && jsonEqual(own(one, key), id));
    const before = at < 0 ? undefined : out[at];
    const merged = mergeMap(isMap(before) ? before : {}, item, rule.type);
    if (at < 0) out.push(merged);
    else out[at] = merged;
  }
  return ordered(out, list, order, (item) => isMap(item) ? own(item, key) : undefined, key);
}

function reorder(
  out: JsonMap,
  target: JsonMap,
  directive: string,
  order: Json,
  type: string | undefined,
): void {
  const field = directive.slice(ORDER.length);
  const list = own(out, field);
  const before = own(target, field);
  if (!Array.isArray(list) || !Array.isArray(before)) return;
  const key = mergeField(type, field)?.key;
  const idOf = (item: Json): Json | undefined =>
    key === undefined ? item : isMap(item) ? own(item, key) : undefined;
  setOwn(out, field, ordered(list, before, order, idOf, key));
}

/**
 * Puts the items that `order` names into its order; the others keep their place among the items
 * that were there before, as Kubernetes' `normalizeElementOrder` does.
 */
function ordered(
  list: Json[],
  before: readonly Json[],
  order: Json | undefined,
  idOf: (item: Json) => Json | undefined,
  key?: string,
): Json[] {
  if (order === undefined) return list;
  if (!Array.isArray(order)) throw unknownDirective("$setElementOrder that is no list");
  const wanted = order.map((item) => key !== undefined && isMap(item) ? own(item, key) : item);
  const rank = (item: Json): number => wanted.findIndex((id) => jsonEqual(id, idOf(item)));
  const place = (item: Json): number => before.findIndex((one) => jsonEqual(idOf(one), idOf(item)));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const others = list.filter((item) => rank(item) < 0);
  const out: Json[] = [];
  while (named.length > 0 || others.length > 0) {
    const [left, right] = [others[0], named[0]];
    const takeOther = left !== undefined &&
      (right === undefined || (place(right) >= 0 && place(left) < place(right)));
    const next = takeOther ? others.shift() : named.shift();
    if (next !== undefined) out.push(next);
  }
  return out;
}

function withoutDirectives(patch: JsonMap): JsonMap {
  const { $patch: _, ...rest } = patch;
  return structuredClone(rest);
}

function unknownDirective(directive: Json): AppError {
  return new AppError("BadRequest", `invalid strategic merge patch: ${JSON.stringify(directive)}`);
}
