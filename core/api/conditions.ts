import type { Condition, KubeObject } from "./object.ts";

/** What has a status; whoever wrote that may have written anything. */
type Stated = KubeObject | { readonly status?: unknown };

/** The conditions of an object, without what is none: one bad object must not stop the rest. */
export function conditionsOf(object: Stated | undefined): Condition[] {
  const { status } = (object ?? {}) as {
    readonly status?: { readonly conditions?: unknown } | null;
  };
  const conditions = status?.conditions;
  return Array.isArray(conditions)
    ? conditions.filter((one) => typeof one === "object" && one !== null)
    : [];
}

/** The condition of a type, if the object has it. */
export function conditionOf(object: Stated | undefined, type: string): Condition | undefined {
  return conditionsOf(object).find((one) => one.type === type);
}
