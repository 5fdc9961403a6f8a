import { AppError } from "../base/mod.ts";

/** How a label requirement compares; Kubernetes' `selection.Operator` in LabelSelector's words. */
export type LabelOperator = "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";

/** One requirement on labels. All requirements of a selector must hold. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Empty for `Exists` and `DoesNotExist`, exactly one decimal for `Gt` and `Lt`. */
  readonly values: readonly string[];
}

/** Kubernetes' `metav1.LabelSelector`, as it stands in `spec.selector` of workloads. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

type Labels = Readonly<Record<string, string>> | undefined;

/** A label value that `>` and `<` can compare. */
export const LABEL_INTEGER = /^[+-]?\d{1,18}$/;

/** Whether `labels` meet every requirement. */
export function matchLabels(requirements: readonly LabelRequirement[], labels: Labels): boolean {
  return requirements.every((requirement) => matchLabel(requirement, labels));
}

function matchLabel({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Gt":
    case "Lt": {
      const bound = values[0];
      if (value === undefined || bound === undefined || !LABEL_INTEGER.test(value)) return false;
      return operator === "Gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
  }
}

/**
 * The requirements of a `LabelSelector` object. An empty selector has none and matches everything.
 *
 * @throws {AppError} Invalid for an unknown operator, or values that do not fit the operator
 */
export function requirementsOf(selector: LabelSelector): LabelRequirement[] {
  const out: LabelRequirement[] = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]) => ({ key, operator: "In", values: [value] }),
  );
  for (const { key, operator, values: given } of selector.matchExpressions ?? []) {
    const values = given ?? [];
    const set = operator === "In" || operator === "NotIn";
    if (!set && operator !== "Exists" && operator !== "DoesNotExist") {
      throw invalidExpression(
        "operator",
        `'${operator}' is not one of In, NotIn, Exists, DoesNotExist`,
      );
    }
    if (set !== values.length > 0) {
      throw invalidExpression(
        "values",
        set ? `must be given for operator ${operator}` : `must be empty for operator ${operator}`,
      );
    }
    out.push({ key, operator, values });
  }
  return out;
}

function invalidExpression(field: string, message: string): AppError {
  const path = `matchExpressions.${field}`;
  return new AppError("Invalid", `label selector: ${path}: ${message}`, {
    causes: [{ field: path, message, reason: "FieldValueInvalid" }],
  });
}

/**
 * Whether a `LabelSelector` object selects `labels`. Kubernetes' rule: an absent selector selects
 * nothing, an empty one everything.
 *
 * @throws {AppError} Invalid as {@linkcode requirementsOf}
 */
export function matchLabelSelector(
  selector: LabelSelector | undefined | null,
  labels: Labels,
): boolean {
  return selector ? matchLabels(requirementsOf(selector), labels) : false;
}

/** The text form of requirements, as `status.selector` of a scale shows it. */
export function formatLabelSelector(requirements: readonly LabelRequirement[]): string {
  return requirements.map(({ key, operator, values }) => {
    switch (operator) {
      case "Exists":
        return key;
      case "DoesNotExist":
        return `!${key}`;
      case "In":
        return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(",")})`;
      case "NotIn":
        return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(",")})`;
      case "Gt":
        return `${key}>${values[0]}`;
      case "Lt":
        return `${key}<${values[0]}`;
    }
  }).join(",");
}
