import { invalid, notSupported, type Problems, wrongType } from "./field_error.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

/** What the name of a port looks like. */
export const PORT_NAME = /^(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;

/** A list that may be absent. Adds a problem when it is something else. */
export function listAt(field: string, value: Any, problems: Problems): Any[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  problems.push(wrongType(field, value, "array"));
  return [];
}

/** One of a few words, or nothing. */
export function oneOf(
  field: string,
  value: Any,
  words: readonly string[],
  problems: Problems,
): void {
  if (value !== undefined && value !== null && !words.includes(value)) {
    problems.push(notSupported(field, value, words));
  }
}

/** A whole number from `least` on, or nothing. */
export function wholeNumber(field: string, value: Any, problems: Problems, least = 0): void {
  if (value === undefined || value === null) return;
  if (!Number.isInteger(value)) problems.push(wrongType(field, value, "integer"));
  else if (value < least) {
    problems.push(invalid(field, value, `must be greater than or equal to ${least}`));
  }
}

/** A port from 1 to 65535. */
export function portNumber(field: string, value: Any, problems: Problems): void {
  if (!Number.isInteger(value)) problems.push(wrongType(field, value, "integer"));
  else if (value < 1 || value > 65535) {
    problems.push(invalid(field, value, "must be between 1 and 65535, inclusive"));
  }
}
