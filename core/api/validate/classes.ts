import type { KubeObject } from "../object.ts";
import { jsonEqual } from "../patch/mod.ts";
import { isQuantity } from "../quantity.ts";
import { forbiddenField, invalid, notSupported, type Problems, required } from "./field_error.ts";

/** The highest value that is not kept for the system's own classes. */
const HIGHEST = 1_000_000_000;
const POLICIES = ["Never", "PreemptLowerPriority"];
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The problems of a PriorityClass. */
export function priorityClassProblems(object: KubeObject, old?: KubeObject): Problems {
  const problems: Problems = [];
  const { name } = object.metadata;
  if (!old && name?.startsWith("system-")) {
    problems.push(
      forbiddenField("metadata.name", "priority class names with 'system-' prefix are reserved"),
    );
  }
  const value = object["value"] ?? 0;
  if (!Number.isInteger(value)) problems.push(invalid("value", value, "must be an integer"));
  else if (value > HIGHEST && !name?.startsWith("system-")) {
    problems.push(
      forbiddenField("value", `maximum allowed value of a user defined priority is ${HIGHEST}`),
    );
  }
  const policy = object["preemptionPolicy"];
  if (policy !== undefined && !POLICIES.includes(policy)) {
    problems.push(notSupported("preemptionPolicy", policy, POLICIES));
  }
  if (!old) return problems;
  if (value !== (old["value"] ?? 0)) {
    problems.push(forbiddenField("value", "may not be changed in an update."));
  }
  if (policy !== old["preemptionPolicy"]) {
    problems.push(invalid("preemptionPolicy", policy ?? "", "field is immutable"));
  }
  return problems;
}

/** The problems of a RuntimeClass. */
export function runtimeClassProblems(object: KubeObject, old?: KubeObject): Problems {
  const problems: Problems = [];
  const handler = object["handler"];
  if (handler === undefined || handler === "") problems.push(required("handler"));
  else if (typeof handler !== "string" || !DNS_LABEL.test(handler)) {
    problems.push(invalid("handler", handler, "must be a lowercase RFC 1123 label"));
  } else if (old && handler !== old["handler"]) {
    problems.push(invalid("handler", handler, "field is immutable"));
  }
  for (const [name, amount] of Object.entries(object["overhead"]?.podFixed ?? {})) {
    if (!isQuantity(amount)) {
      problems.push(invalid(`overhead.podFixed[${name}]`, amount, "must be a quantity"));
    }
  }
  if (old && !jsonEqual(old["overhead"] ?? null, object["overhead"] ?? null)) {
    problems.push(invalid("overhead", object["overhead"] ?? "", "field is immutable"));
  }
  return problems;
}
