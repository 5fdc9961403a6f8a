import { AppError, type ErrorCause } from "../../base/mod.ts";
import { groupResource, type ResourceDef } from "../object.ts";

/** Collects the problems of one object. */
export type Problems = ErrorCause[];

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** A field that must be there. */
export function required(field: string, detail = ""): ErrorCause {
  const message = detail === "" ? "Required value" : `Required value: ${detail}`;
  return { field, message, reason: "FieldValueRequired" };
}

/** A field whose value cannot be; `detail` says what would be right. */
export function invalid(field: string, value: unknown, detail: string): ErrorCause {
  return {
    field,
    message: `Invalid value: ${show(value)}: ${detail}`,
    reason: "FieldValueInvalid",
  };
}

/** A field whose value is not one of a few words. */
export function notSupported(
  field: string,
  value: unknown,
  supported: readonly string[],
): ErrorCause {
  const words = supported.map((word) => `"${word}"`).join(", ");
  const message = `Unsupported value: ${show(value)}: supported values: ${words}`;
  return { field, message, reason: "FieldValueNotSupported" };
}

/** A field that may not be set or changed. */
export function forbiddenField(field: string, detail: string): ErrorCause {
  return { field, message: `Forbidden: ${detail}`, reason: "FieldValueForbidden" };
}

/** A value that stands twice in a list that wants it once. */
export function duplicate(field: string, value: unknown): ErrorCause {
  return { field, message: `Duplicate value: ${show(value)}`, reason: "FieldValueDuplicate" };
}

/** A field that is longer than it may be. */
export function tooLong(field: string, limit: number): ErrorCause {
  return {
    field,
    message: `Too long: may not be more than ${limit} bytes`,
    reason: "FieldValueTooLong",
  };
}

/** Wrong JSON type. */
export function wrongType(field: string, value: unknown, wanted: string): ErrorCause {
  const got = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return {
    field,
    message: `Invalid value: "${got}": must be of type ${wanted}`,
    reason: "FieldValueTypeInvalid",
  };
}

/** The error of an object that fails validation, in Kubernetes' sentence. */
export function invalidObject(
  resource: ResourceDef,
  name: string,
  problems: readonly ErrorCause[],
): AppError {
  const kind = groupResource({ group: resource.group, plural: resource.kind });
  const parts = problems.map(({ field, message }) => `${field}: ${message}`);
  const text = parts.length === 1 ? parts[0] : `[${parts.join(", ")}]`;
  return new AppError("Invalid", `${kind} "${name}" is invalid: ${text}`, { causes: problems });
}
