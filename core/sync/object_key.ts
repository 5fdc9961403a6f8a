import { nameProblem } from "../api/mod.ts";

/** Names one object of one resource: `pods/default/web`, `nodes//n1`. */
export type ObjectKey = string;

/** The {@linkcode ObjectKey} of an object. */
export function keyOf(resource: string, namespace: string | undefined, name: string): ObjectKey {
  return `${resource}/${namespace ?? ""}/${name}`;
}

/**
 * Whether a value that stands in an object can be the name of another. Kubernetes lets a pod name
 * Secrets, ConfigMaps and claims by any text; one with a slash would be another object's key.
 */
export function isName(value: unknown): value is string {
  return nameProblem("name", value, "subdomain") === undefined;
}
