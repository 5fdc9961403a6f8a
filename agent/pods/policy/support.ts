import type { Pod } from "../../../core/api/mod.ts";
import type { NodePolicy } from "./plan.ts";
import { POD_FIELDS, type Rule } from "./support_table.ts";

/** A field of a pod that this node cannot honour. */
export interface Refusal {
  /** e.g. `spec.containers[0].livenessProbe`. */
  readonly field: string;
  readonly why: string;
}

/** How pods named AppArmor profiles before they had a field. */
export const APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/";
const APPARMOR_VALUE = /^(runtime\/default|unconfined|localhost\/.+)$/;

/** Paths that have rules below them, so that an object there is walked and not judged whole. */
const INNER: ReadonlySet<string> = new Set(
  Object.keys(POD_FIELDS).flatMap((path) => {
    const parts = path.split(".");
    return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join(".").replace(/\[\]$/, ""));
  }),
);

/**
 * The fields of `pod` that this node would have to ignore. It refuses the pod instead. Those of
 * ephemeral containers are left out, which come to pods that run: {@linkcode debuggerRefusals}.
 */
export function refusals(pod: Pod, node: NodePolicy): Refusal[] {
  const out: Refusal[] = [];
  const { ephemeralContainers: _, ...spec } = pod.spec;
  walk(spec, "", "spec", { node, out });
  for (const [key, value] of Object.entries(pod.metadata.annotations ?? {})) {
    if (!key.startsWith(APPARMOR_ANNOTATION) || APPARMOR_VALUE.test(value)) continue;
    const why = "only runtime/default, localhost/NAME, unconfined";
    out.push({ field: `metadata.annotations[${key}]`, why });
  }
  return out;
}

/** The fields of one ephemeral container that this node would have to ignore. */
export function debuggerRefusals(pod: Pod, name: string, node: NodePolicy): Refusal[] {
  const out: Refusal[] = [];
  const list = pod.spec.ephemeralContainers ?? [];
  const at = list.findIndex((one) => one.name === name);
  walk(list[at], "ephemeralContainers[]", `spec.ephemeralContainers[${at}]`, {
    node,
    out,
  });
  return out;
}

/** One sentence that names the fields, for conditions and Events. */
export function refusalText(list: readonly Refusal[]): string {
  const parts = list.slice(0, 5).map(({ field, why }) => `${field}: ${why}`);
  if (list.length > 5) parts.push(`and ${list.length - 5} more`);
  return `This node does not support ${parts.join("; ")}`;
}

interface Scope {
  readonly node: NodePolicy;
  readonly out: Refusal[];
}

function walk(
  value: unknown,
  path: string,
  shown: string,
  scope: Scope,
): void {
  if (Array.isArray(value)) {
    value.forEach((item, at) => walk(item, `${path}[]`, `${shown}[${at}]`, scope));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (child === undefined || child === null) continue;
    const next = path === "" ? key : `${path}.${key}`;
    const field = `${shown}.${key}`;
    const rule: Rule | undefined = Object.hasOwn(POD_FIELDS, next) ? POD_FIELDS[next] : undefined;
    if (rule === undefined) {
      if (INNER.has(next)) walk(child, next, field, scope);
      else if (!isEmpty(child)) scope.out.push({ field, why: "the field is not known" });
    } else if (typeof rule === "string") {
      if (!isEmpty(child)) scope.out.push({ field, why: rule });
    } else if (rule !== true) {
      const why = rule(child, scope.node);
      if (why !== undefined) scope.out.push({ field, why });
    }
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
