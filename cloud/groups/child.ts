import { createHash } from "node:crypto";
import { isMap, type JsonMap, type KubeObject } from "../../core/api/mod.ts";
import { controllerOf, jsonEqual } from "../../core/control/mod.ts";
import { merge3 } from "./merge.ts";
import { isOtherRun } from "./runs.ts";

/** What was last applied, as JSON. KubeEdge's own, so that objects that it made are taken over. */
export const LAST_APPLIED = "apps.kubeedge.io/last-applied-template";
/** Hash of what was last applied, where the whole of it would be too much or must not be seen. */
export const APPLIED_HASH = "skerry.dev/applied-hash";

/** Annotations of an object may have 256 KiB in all. */
const MOST_CHARS = 100_000;
const SECRETIVE = new Set(["Secret", "ConfigMap"]);

/** What to do about one object of an application. */
export type ChildPlan =
  | { readonly do: "nothing" }
  | { readonly do: "create" | "update"; readonly object: KubeObject }
  /** It has run to its end, and what is wanted is to run: it goes, and is made anew. */
  | { readonly do: "remake" }
  | { readonly do: "leave"; readonly why: string };

/** Decides what to do so that `live` is as `want`. Fields that others have added stay. */
export function planChild(
  want: KubeObject,
  live: KubeObject | undefined,
): ChildPlan {
  const mark = markOf(want);
  if (!live) return { do: "create", object: withMark(want, mark) };
  const [owner, ours] = [controllerOf(live), controllerOf(want)];
  if (owner?.uid !== ours?.uid) {
    const whose = owner ? `${owner.kind} ${owner.name}` : "nobody here";
    const why = `there is a ${want.kind} ${want.metadata.name} that belongs to ${whose}`;
    return { do: "leave", why };
  }
  // What goes is made anew when it is gone.
  if (live.metadata.deletionTimestamp !== undefined) return { do: "nothing" };
  if (isOtherRun(want, live)) return { do: "remake" };
  const before = live.metadata.annotations ?? {};
  const last = lastApplied(before[LAST_APPLIED]);
  const replaces = mark.key === APPLIED_HASH
    ? before[mark.key] !== mark.value
    // Another version has the same things in other fields.
    : "apiVersion" in last && last["apiVersion"] !== want.apiVersion;
  const merged = merge3({
    last,
    want: withMark(want, mark) as unknown as JsonMap,
    // Nobody knows any more what of it was applied, so all of it goes.
    live: (replaces ? withoutContent(live) : live) as unknown as JsonMap,
  }, want.kind) as unknown as KubeObject;
  return jsonEqual(merged, live) ? { do: "nothing" } : { do: "update", object: merged };
}

function withoutContent({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const status = rest["status"] === undefined ? {} : { status: rest["status"] };
  return { apiVersion, kind, metadata, ...status };
}

/** Somebody may have changed it: then nothing is known. */
function lastApplied(text: string | undefined): JsonMap {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return isMap(value) ? value : {};
  } catch {
    return {};
  }
}

/** What stands on the object to tell what was applied. */
interface Mark {
  readonly key: typeof LAST_APPLIED | typeof APPLIED_HASH;
  readonly value: string;
}

function markOf(want: KubeObject): Mark {
  const text = JSON.stringify(want);
  if (!SECRETIVE.has(want.kind) && text.length <= MOST_CHARS) {
    return { key: LAST_APPLIED, value: text };
  }
  const value = createHash("sha256").update(text).digest("hex");
  return { key: APPLIED_HASH, value };
}

function withMark(object: KubeObject, { key, value }: Mark): KubeObject {
  const annotations = { ...object.metadata.annotations, [key]: value };
  return { ...object, metadata: { ...object.metadata, annotations } };
}
