import { AppError } from "../base/mod.ts";
import type { KubeObject } from "./object.ts";

/** One requirement on a field: `path` equals `value`, or not. */
export interface FieldRequirement {
  /** Dotted path in the object, e.g. `spec.nodeName`. */
  readonly path: string;
  readonly equals: boolean;
  readonly value: string;
}

/**
 * Reads a field selector: `path=value`, `path==value`, `path!=value`, comma-separated; `\,`, `\=`
 * and `\\` stand for themselves in a value. Source: `k8s.io/apimachinery/pkg/fields`.
 *
 * @throws {AppError} BadRequest when the text cannot be read
 */
export function parseFieldSelector(text: string): FieldRequirement[] {
  const out: FieldRequirement[] = [];
  for (const term of splitUnescaped(text)) {
    if (term === "") continue;
    const match = /^\s*([^=!\\\s]+)\s*(==|=|!=)((?:[^\\=]|\\[\\,=])*)$/s.exec(term);
    const [, path, operator, value] = match ?? [];
    if (path === undefined || value === undefined) {
      throw new AppError(
        "BadRequest",
        `unable to parse field selector "${text}": "${term}" is not path=value or path!=value`,
      );
    }
    out.push({
      path,
      equals: operator !== "!=",
      value: value.replace(/\\([\\,=])/g, "$1").trim(),
    });
  }
  return out;
}

function splitUnescaped(text: string): string[] {
  const terms: string[] = [];
  let term = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === ",") {
      terms.push(term);
      term = "";
    } else {
      term += char;
      if (char === "\\") term += text.charAt(++i);
    }
  }
  terms.push(term);
  return terms;
}

/** Whether `object` meets every requirement. An absent field is the empty text, and also `false`. */
export function matchFields(
  requirements: readonly FieldRequirement[],
  object: KubeObject,
): boolean {
  return requirements.every(({ path, equals, value }) => {
    const actual = fieldText(object, path);
    // Kubernetes shows an unset boolean such as spec.unschedulable as "false".
    const same = actual === value || (actual === "" && value === "false");
    return same === equals;
  });
}

function fieldText(object: unknown, path: string): string {
  let current: unknown = object;
  for (const part of path.split(".")) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, part)) return "";
    current = (current as Record<string, unknown>)[part];
  }
  if (current === undefined || current === null || typeof current === "object") return "";
  return String(current);
}
