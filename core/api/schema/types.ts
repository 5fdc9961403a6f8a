import { parseTypes, type TypeSchema } from "./parse.ts";
import { APPS_TYPES } from "./text/apps.ts";
import { CORE_TYPES } from "./text/core.ts";
import { META_TYPES } from "./text/meta.ts";
import { OTHER_TYPES } from "./text/other.ts";
import { POD_TYPES } from "./text/pod.ts";

let parsed: ReadonlyMap<string, TypeSchema> | undefined;

/** Every type by name, read when first asked for. */
export function schemaTypes(): ReadonlyMap<string, TypeSchema> {
  parsed ??= parseTypes([META_TYPES, POD_TYPES, APPS_TYPES, CORE_TYPES, OTHER_TYPES]);
  return parsed;
}

/** API groups whose kinds are described here; other kinds (CRDs) have schemas of their own. */
const GROUPS = new Set([
  "",
  "apps",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "authorization.k8s.io",
  "authentication.k8s.io",
  "autoscaling",
  "policy",
  "scheduling.k8s.io",
  "node.k8s.io",
]);

/** The type of a kind, `undefined` when it is not described here. */
export function typeOfKind(group: string, kind: string): TypeSchema | undefined {
  return GROUPS.has(group) ? schemaTypes().get(kind) : undefined;
}
