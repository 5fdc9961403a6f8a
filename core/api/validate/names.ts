import type { ErrorCause } from "../../base/mod.ts";
import { invalid, type Problems, tooLong, wrongType } from "./field_error.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const ENV_NAME = /^[\x20-\x3c\x3e-\u{10ffff}]+$/u;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

const LABEL_TEXT = "a lowercase RFC 1123 label must consist of lower case alphanumeric " +
  "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', " +
  " or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric " +
  "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. " +
  "'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035_TEXT = "a DNS-1035 label must consist of lower case alphanumeric characters or " +
  "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. " +
  "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_TEXT = "name part must consist of alphanumeric characters, '-', '_' or '.', and " +
  "must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or " +
  "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_TEXT = "a valid label must be an empty string or consist of alphanumeric characters, " +
  "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or " +
  "'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' " +
  "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is " +
  "'[-._a-zA-Z0-9]+')";

/** The forms that names take. */
export type NameForm = "label" | "label1035" | "subdomain";

const FORMS: Readonly<Record<NameForm, readonly [RegExp, number, string]>> = {
  label: [LABEL, 63, LABEL_TEXT],
  label1035: [LABEL_1035, 63, LABEL_1035_TEXT],
  subdomain: [SUBDOMAIN, 253, SUBDOMAIN_TEXT],
};

/** The problem of a name, if it has one. */
export function nameProblem(field: string, name: unknown, form: NameForm): ErrorCause | undefined {
  const [pattern, limit, text] = FORMS[form];
  if (typeof name !== "string") return wrongType(field, name, "string");
  if (name.length > limit) {
    return invalid(field, name, `must be no more than ${limit} characters`);
  }
  return pattern.test(name) ? undefined : invalid(field, name, text);
}

/** The problems of a map of labels (or of a selector's `matchLabels`, `nodeSelector`). */
export function labelProblems(field: string, labels: unknown): Problems {
  if (labels === undefined || labels === null) return [];
  if (typeof labels !== "object" || Array.isArray(labels)) {
    return [wrongType(field, labels, "object")];
  }
  return Object.entries(labels).flatMap(([key, value]) => {
    const problems = keyProblems(field, key);
    if (typeof value !== "string") problems.push(wrongType(`${field}.${key}`, value, "string"));
    else if (value.length > 63) {
      problems.push(invalid(field, value, "must be no more than 63 characters"));
    } else if (!LABEL_VALUE.test(value)) problems.push(invalid(field, value, VALUE_TEXT));
    return problems;
  });
}

/** The problems of a label or annotation key: `[prefix/]name`. */
export function keyProblems(field: string, key: string): Problems {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const problems: Problems = [];
  if (prefix !== undefined && (prefix.length > 253 || !SUBDOMAIN.test(prefix))) {
    problems.push(invalid(field, key, `prefix part ${SUBDOMAIN_TEXT}`));
  }
  if (name === "") problems.push(invalid(field, key, "name part must be non-empty"));
  else if (name.length > 63) {
    problems.push(invalid(field, key, "name part must be no more than 63 characters"));
  } else if (!QUALIFIED.test(name)) problems.push(invalid(field, key, QUALIFIED_TEXT));
  return problems;
}

/** All annotations of one object together; Kubernetes' own cap. */
const ANNOTATION_BYTES = 256 * 1024;

/** The problems of annotations. */
export function annotationProblems(field: string, annotations: unknown): Problems {
  if (annotations === undefined || annotations === null) return [];
  if (typeof annotations !== "object" || Array.isArray(annotations)) {
    return [wrongType(field, annotations, "object")];
  }
  let size = 0;
  const problems: Problems = [];
  for (const [key, value] of Object.entries(annotations)) {
    problems.push(...keyProblems(field, key.toLowerCase()));
    if (typeof value !== "string") problems.push(wrongType(`${field}.${key}`, value, "string"));
    else size += key.length + value.length;
  }
  if (size > ANNOTATION_BYTES) problems.push(tooLong(field, ANNOTATION_BYTES));
  return problems;
}

/** The problems of a key of a ConfigMap or Secret. */
export function configKeyProblems(field: string, key: string): Problems {
  if (key.length > 253) return [invalid(field, key, "must be no more than 253 characters")];
  if (!CONFIG_KEY.test(key)) return [invalid(field, key, KEY_TEXT)];
  return key === "." || key === ".." || key.startsWith("..")
    ? [invalid(field, key, "must not start with '..' or be '.'")]
    : [];
}

/** The problems of a name of an environment variable, or of what comes before one. */
export function envNameProblems(field: string, name: unknown): Problems {
  if (typeof name === "string" && ENV_NAME.test(name)) return [];
  const why =
    "a valid environment variable name must consist only of printable characters other than '='";
  return [invalid(field, name, why)];
}
