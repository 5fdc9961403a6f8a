import type { Node } from "../node.ts";
import type { NodeSelectorTerm, PodSpec } from "../pod.ts";
import { LABEL_INTEGER } from "../selectors.ts";

/** Whether a pod's `nodeSelector` and required node affinity allow `node`. Never throws. */
export function matchesNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) {
    if (labels[key] !== value) return false;
  }
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  // Terms are alternatives; Kubernetes: no terms match nothing.
  return (required.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node));
}

/** Whether all expressions and fields of `term` hold; an empty term holds for nothing. */
function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return expressions.every((one) => matches(one, labels[one.key])) &&
    fields.every((one) =>
      one.key === "metadata.name" && (one.operator === "In" || one.operator === "NotIn") &&
      matches(one, node.metadata.name)
    );
}

function matches(
  { operator, values = [] }: { operator: string; values?: string[] },
  value: string | undefined,
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [bound] = values;
      if (value === undefined || bound === undefined) return false;
      if (!LABEL_INTEGER.test(value) || !LABEL_INTEGER.test(bound)) return false;
      return operator === "Gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      // An operator of a newer Kubernetes: better not placed than placed wrongly.
      return false;
  }
}
