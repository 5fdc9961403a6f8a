import {
  isMap,
  isQuantity,
  type Json,
  type JsonMap,
  mergeField,
  parseQuantity,
} from "../../core/api/mod.ts";

/** Maps of quantities, which an API server writes in its own way: 1000m is 1. */
const QUANTITIES = new Set(["limits", "requests", "capacity", "hard"]);

/**
 * Puts what is wanted over what is there, and takes away what was wanted before and is no more. What
 * others have added stays: fields, items of lists that have a key. Nothing is changed in place.
 */
export function merge3(
  states: { readonly last?: JsonMap; readonly want: JsonMap; readonly live: JsonMap },
  type: string,
): JsonMap {
  return mergeMap(states, type);
}

interface States<T> {
  readonly last?: T | undefined;
  readonly want: T;
  readonly live: T;
}

function mergeMap({ last = {}, want, live }: States<JsonMap>, type: string | undefined): JsonMap {
  const out: JsonMap = { ...live };
  for (const key of Object.keys(last)) if (!Object.hasOwn(want, key)) delete out[key];
  for (const [key, value] of Object.entries(want)) {
    const states = { last: last[key], want: value, live: live[key] };
    // In Kubernetes' JSON null is the same as absent.
    if (value === null && (live[key] ?? null) === null) continue;
    out[key] = QUANTITIES.has(key) ? mergeQuantities(states) : mergeValue(states, type, key);
  }
  return out;
}

function mergeValue(
  { last, want, live }: { last: Json | undefined; want: Json; live: Json | undefined },
  type: string | undefined,
  field: string,
): Json {
  const rule = mergeField(type, field);
  if (isMap(want)) {
    if (!isMap(live)) return want;
    return mergeMap({ last: isMap(last) ? last : {}, want, live }, rule?.type);
  }
  if (!Array.isArray(want) || !Array.isArray(live)) return want;
  const before = Array.isArray(last) ? last : [];
  if (rule?.key !== undefined) {
    return mergeList({ last: before, want, live }, { key: rule.key, type: rule.type });
  }
  if (rule?.set) {
    const kept = live.filter((item) => !before.includes(item) || want.includes(item));
    return [...kept, ...want.filter((item) => !kept.includes(item))];
  }
  // Defaults may have come into the items; anything else is another list.
  const same = want.length === live.length && want.every((item, at) => holds(live[at], item));
  return same ? live : want;
}

function mergeList(
  { last = [], want, live }: States<Json[]>,
  { key, type }: { readonly key: string; readonly type: string | undefined },
): Json[] {
  const idOf = (item: Json | undefined): string =>
    JSON.stringify(isMap(item) ? item[key] ?? null : null);
  const find = (list: readonly Json[], id: string) => list.find((item) => idOf(item) === id);
  const ids = new Set(want.map(idOf));
  // Twice the same key is a mistake, and no reason to lose one of the two.
  if (ids.size < want.length) return want;
  const merged = want.map((item) => {
    const there = find(live, idOf(item));
    if (!isMap(item) || !isMap(there)) return item;
    const before = find(last, idOf(item));
    return mergeMap({ last: isMap(before) ? before : {}, want: item, live: there }, type);
  });
  const gone = new Set(last.map(idOf));
  const kept = live.filter((item) => ids.has(idOf(item)) || !gone.has(idOf(item)));
  const places = want.map((item) => kept.findIndex((one) => idOf(one) === idOf(item)));
  const found = places.filter((place) => place >= 0);
  // What others have put in between stays where it is, unless the order is another.
  if (found.some((place, at) => at > 0 && place < (found[at - 1] ?? 0))) {
    return [...merged, ...kept.filter((item) => !ids.has(idOf(item)))];
  }
  const there = kept.map((item) => find(merged, idOf(item)) ?? item);
  return [...there, ...merged.filter((_item, at) => (places[at] ?? -1) < 0)];
}

function mergeQuantities(
  { last, want, live }: { last: Json | undefined; want: Json; live: Json | undefined },
): Json {
  if (!isMap(want) || !isMap(live)) return want;
  const out = mergeMap({ last: isMap(last) ? last : {}, want, live }, undefined);
  for (const [key, value] of Object.entries(want)) {
    const there = live[key];
    if (there !== undefined && isSame(value, there)) out[key] = there;
  }
  return out;
}

function isSame(a: Json, b: Json): boolean {
  if (!isQuantity(a) || !isQuantity(b)) return a === b;
  return parseQuantity(a as string) === parseQuantity(b as string);
}

/** Whether `value` has all that `part` has. */
function holds(value: Json | undefined, part: Json): boolean {
  if (isMap(part)) {
    return isMap(value) && Object.entries(part).every(([key, item]) => holds(value[key], item));
  }
  if (!Array.isArray(part)) return (value ?? null) === part;
  return Array.isArray(value) && value.length === part.length &&
    part.every((item, at) => holds(value[at], item));
}
