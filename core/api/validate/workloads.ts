import { jsonEqual } from "../patch/mod.ts";
import type { KubeObject } from "../object.ts";
import { type LabelSelector, matchLabelSelector } from "../selectors.ts";
import {
  forbiddenField,
  invalid,
  notSupported,
  type Problems,
  required,
  wrongType,
} from "./field_error.ts";
import { labelProblems } from "./names.ts";
import { podSpecProblems } from "./pod_spec.ts";
import { rolloutProblems } from "./rollout.ts";

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"];

/** The problems of a Deployment, ReplicaSet or DaemonSet. */
export function workloadProblems(object: KubeObject, old?: KubeObject): Problems {
  const spec = object["spec"];
  if (typeof spec !== "object" || spec === null) return [required("spec")];
  const problems: Problems = [];
  for (const field of ["replicas", "revisionHistoryLimit", "minReadySeconds"]) {
    const value = spec[field];
    if (value === undefined || value === null) continue;
    if (!Number.isInteger(value)) problems.push(wrongType(`spec.${field}`, value, "integer"));
    else if (value < 0) {
      problems.push(invalid(`spec.${field}`, value, "must be greater than or equal to 0"));
    }
  }
  problems.push(
    ...selectorProblems(object.kind, spec),
    ...templateProblems(spec),
    ...rolloutProblems(object.kind, spec),
  );
  if (old && problems.length === 0 && !jsonEqual(old["spec"]?.selector, spec.selector)) {
    problems.push(invalid("spec.selector", spec.selector, "field is immutable"));
  }
  return problems;
}

// deno-lint-ignore no-explicit-any -- what a client sent; checked member by member
function selectorProblems(kind: string, spec: any): Problems {
  const selector = spec.selector;
  if (typeof selector !== "object" || selector === null) return [required("spec.selector")];
  const problems = labelProblems("spec.selector.matchLabels", selector.matchLabels);
  const expressions: unknown = selector.matchExpressions ?? [];
  if (!Array.isArray(expressions)) {
    return [...problems, wrongType("spec.selector.matchExpressions", expressions, "array")];
  }
  expressions.forEach((one, index) => {
    const at = `spec.selector.matchExpressions[${index}]`;
    if (!one?.key) problems.push(required(`${at}.key`));
    if (!OPERATORS.includes(one?.operator)) {
      problems.push(notSupported(`${at}.operator`, one?.operator, OPERATORS));
    } else if (one.operator.endsWith("n") && !(one.values?.length > 0)) {
      problems.push(
        required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
      );
    }
  });
  if (problems.length > 0) return problems;
  if (Object.keys(selector.matchLabels ?? {}).length + expressions.length === 0) {
    return [
      invalid("spec.selector", selector, `empty selector is invalid for ${kind.toLowerCase()}`),
    ];
  }
  const labels = spec.template?.metadata?.labels ?? {};
  if (labelProblems("", labels).length > 0) return [];
  if (!matchLabelSelector(selector as LabelSelector, labels)) {
    return [invalid(
      "spec.template.metadata.labels",
      labels,
      "`selector` does not match template `labels`",
    )];
  }
  return [];
}

// deno-lint-ignore no-explicit-any -- as above
function templateProblems(spec: any): Problems {
  const template = spec.template;
  if (typeof template !== "object" || template === null) return [required("spec.template")];
  const problems = [
    ...labelProblems("spec.template.metadata.labels", template.metadata?.labels),
    ...podSpecProblems("spec.template.spec", template.spec),
  ];
  if (template.spec?.ephemeralContainers?.length > 0) {
    const field = "spec.template.spec.ephemeralContainers";
    problems.push(forbiddenField(field, "ephemeral containers not allowed in pod template"));
  }
  const restart = template.spec?.restartPolicy;
  if (restart === "OnFailure" || restart === "Never") {
    problems.push(notSupported("spec.template.spec.restartPolicy", restart, ["Always"]));
  }
  return problems;
}
