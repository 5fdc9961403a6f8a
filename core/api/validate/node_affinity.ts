import { invalid, notSupported, type Problems, required, wrongType } from "./field_error.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

/** The problems of a pod's `affinity.nodeAffinity` at `field`. */
export function nodeAffinityProblems(field: string, affinity: Any): Problems {
  if (isAbsent(affinity)) return [];
  if (!isObject(affinity)) return [wrongType(field, affinity, "object")];
  const must = affinity.requiredDuringSchedulingIgnoredDuringExecution;
  const should = affinity.preferredDuringSchedulingIgnoredDuringExecution;
  const problems: Problems = [];
  if (!isAbsent(must)) {
    const at = `${field}.requiredDuringSchedulingIgnoredDuringExecution`;
    if (!isObject(must)) problems.push(wrongType(at, must, "object"));
    else if (Array.isArray(must.nodeSelectorTerms) && must.nodeSelectorTerms.length === 0) {
      const why = "must have at least one node selector term";
      problems.push(required(`${at}.nodeSelectorTerms`, why));
    } else problems.push(...each(`${at}.nodeSelectorTerms`, must.nodeSelectorTerms, termProblems));
  }
  if (!isAbsent(should)) {
    const at = `${field}.preferredDuringSchedulingIgnoredDuringExecution`;
    problems.push(...each(at, should, preferenceProblems));
  }
  return problems;
}

function preferenceProblems(field: string, one: Any): Problems {
  const problems = isObject(one.preference)
    ? termProblems(`${field}.preference`, one.preference)
    : [required(`${field}.preference`)];
  if (!Number.isInteger(one.weight) || one.weight < 1 || one.weight > 100) {
    problems.push(invalid(`${field}.weight`, one.weight, "must be in the range 1-100"));
  }
  return problems;
}

function termProblems(field: string, term: Any): Problems {
  return ["matchExpressions", "matchFields"].flatMap((list) =>
    isAbsent(term[list]) ? [] : each(`${field}.${list}`, term[list], requirementProblems)
  );
}

function requirementProblems(field: string, { key, operator, values }: Any): Problems {
  const problems: Problems = [];
  if (typeof key !== "string" || key === "") problems.push(required(`${field}.key`));
  if (!OPERATORS.includes(operator)) {
    return [...problems, notSupported(`${field}.operator`, operator, OPERATORS)];
  }
  const at = `${field}.values`;
  const given: Any[] = Array.isArray(values) ? values : [];
  if (!isAbsent(values) && !Array.isArray(values)) problems.push(wrongType(at, values, "array"));
  const bad = given.findIndex((value) => typeof value !== "string");
  if (bad >= 0) problems.push(wrongType(`${at}[${bad}]`, given[bad], "string"));
  if ((operator === "In" || operator === "NotIn") && given.length === 0) {
    problems.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
  }
  if ((operator === "Gt" || operator === "Lt") && given.length !== 1) {
    problems.push(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  }
  return problems;
}

/** The problems of the objects of a list. */
function each(
  field: string,
  list: Any,
  problemsOf: (field: string, one: Any) => Problems,
): Problems {
  if (isAbsent(list)) return [required(field)];
  if (!Array.isArray(list)) return [wrongType(field, list, "array")];
  return list.flatMap((one, index) => {
    const at = `${field}[${index}]`;
    return isObject(one) ? problemsOf(at, one) : [wrongType(at, one, "object")];
  });
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
