import { forbiddenField, invalid, notSupported, type Problems, wrongType } from "./field_error.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const TYPES: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["Recreate", "RollingUpdate"],
  DaemonSet: ["OnDelete", "RollingUpdate"],
};
const PERCENT = /^\d{1,6}%$/;
const PERCENT_TEXT = "a valid percent string must be a numeric string followed by an ending '%' " +
  "(e.g. '1%', or '93%', regex used for validation is '[0-9]+%')";

/** The problems of how a Deployment (`strategy`) or DaemonSet (`updateStrategy`) replaces its pods. */
export function rolloutProblems(kind: string, spec: Any): Problems {
  const types = TYPES[kind];
  if (!types) return [];
  const field = kind === "Deployment" ? "spec.strategy" : "spec.updateStrategy";
  const strategy = spec[field.slice("spec.".length)];
  if (isAbsent(strategy)) return [];
  if (typeof strategy !== "object") return [wrongType(field, strategy, "object")];
  const { type, rollingUpdate } = strategy;
  if (!isAbsent(type) && !types.includes(type)) {
    return [notSupported(`${field}.type`, type, types)];
  }
  if (isAbsent(rollingUpdate)) return [];
  const at = `${field}.rollingUpdate`;
  if (typeof rollingUpdate !== "object") return [wrongType(at, rollingUpdate, "object")];
  if (type === "Recreate") {
    return [forbiddenField(at, "may not be specified when strategy `type` is 'Recreate'")];
  }
  const problems = ["maxSurge", "maxUnavailable"].flatMap((name) =>
    countProblems(`${at}.${name}`, rollingUpdate[name])
  );
  const { maxSurge, maxUnavailable } = rollingUpdate;
  if (problems.length === 0 && isZero(maxSurge) && isZero(maxUnavailable)) {
    const why = "may not be 0 when `maxSurge` is 0";
    problems.push(invalid(`${at}.maxUnavailable`, maxUnavailable, why));
  }
  return problems;
}

function countProblems(field: string, value: Any): Problems {
  if (isAbsent(value)) return [];
  if (typeof value === "string") {
    return PERCENT.test(value) ? [] : [invalid(field, value, PERCENT_TEXT)];
  }
  if (!Number.isInteger(value)) return [wrongType(field, value, "integer or percent string")];
  return value < 0 ? [invalid(field, value, "must be greater than or equal to 0")] : [];
}

function isZero(value: unknown): boolean {
  return value === 0 || (typeof value === "string" && Number(value.slice(0, -1)) === 0);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
