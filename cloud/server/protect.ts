import type { Authorize } from "../../core/http/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { DEFAULT_NAMESPACES } from "../plane/mod.ts";

/**
 * Nobody may delete the namespaces that the cluster stands on, an administrator neither: with
 * `skerry-system` would go the CA, and every node would be shut out. Kubernetes protects its own so.
 */
export function protectNamespaces(next: Authorize): Authorize {
  const kept = new Set([...DEFAULT_NAMESPACES, SYSTEM_NAMESPACE]);
  return (user, attributes) => {
    const { group, resource, verb, name } = attributes;
    const removes = verb === "delete" || verb === "deletecollection";
    if (group === "" && resource === "namespaces" && removes && (name === "" || kept.has(name))) {
      return { allowed: false, reason: "this namespace may not be deleted" };
    }
    return next(user, attributes);
  };
}
