import { parseFieldSelector } from "../../core/api/mod.ts";
import type { Attributes } from "../../core/http/mod.ts";

/** A rule on resources, as RBAC and `SelfSubjectRulesReview` have it. */
export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  /** Empty: all of them. */
  readonly resourceNames: readonly string[];
}

/** A rule on paths. */
export interface PathRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** What one reviews answer allows. */
export interface Rules {
  readonly resources: readonly ResourceRule[];
  readonly paths: readonly PathRule[];
}

/** What a service account may do, as the API server said last. */
export interface AccountRules {
  /** In its own namespace. */
  readonly own: Rules;
  /** Everywhere. */
  readonly everywhere: Rules;
}

/** Whether the rules of an account of `namespace` allow a request. Pure; Kubernetes' RBAC. */
export function allows(rules: AccountRules, namespace: string, asked: Attributes): boolean {
  if (asked.path !== "") return rules.everywhere.paths.some((rule) => pathAllows(rule, asked));
  const { resources } = asked.namespace === namespace ? rules.own : rules.everywhere;
  return resources.some((rule) => resourceAllows(rule, asked));
}

function resourceAllows(rule: ResourceRule, asked: Attributes): boolean {
  const { resource, subresource, verb, group } = asked;
  const whole = subresource === "" ? resource : `${resource}/${subresource}`;
  return has(rule.verbs, verb) && has(rule.apiGroups, group) &&
    (has(rule.resources, whole) ||
      (subresource !== "" && rule.resources.includes(`*/${subresource}`))) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(nameOf(asked)));
}

function pathAllows(rule: PathRule, { verb, path }: Attributes): boolean {
  return has(rule.verbs, verb) &&
    rule.nonResourceURLs.some((pattern) =>
      pattern === "*" || pattern === path ||
      (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)))
    );
}

/** A list or watch that selects one name is a request for that name. */
function nameOf({ name, verb, fieldSelector = "" }: Attributes): string {
  if (name !== "" || (verb !== "list" && verb !== "watch") || fieldSelector === "") return name;
  const found = parseFieldSelector(fieldSelector).find(({ path, equals }) =>
    path === "metadata.name" && equals
  );
  return found?.value ?? "";
}

function has(list: readonly string[], word: string): boolean {
  return list.includes("*") || list.includes(word);
}

/**
 * The rules in the status of a `SelfSubjectRulesReview`; what cannot be read allows nothing.
 */
export function rulesIn(status: unknown): Rules {
  const { resourceRules, nonResourceRules } = isRecord(status) ? status : {};
  return {
    resources: records(resourceRules).filter(({ resourceNames: names }) =>
      // Without its names a rule would allow more.
      names === undefined || names === null || texts(names).length === (names as unknown[]).length
    ).map((rule) => ({
      verbs: texts(rule["verbs"]),
      apiGroups: texts(rule["apiGroups"]),
      resources: texts(rule["resources"]),
      resourceNames: texts(rule["resourceNames"]),
    })),
    paths: records(nonResourceRules).map((rule) => ({
      verbs: texts(rule["verbs"]),
      nonResourceURLs: texts(rule["nonResourceURLs"]),
    })),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
