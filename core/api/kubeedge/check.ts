import { z } from "zod";
import type { KubeObject, ResourceDef } from "../object.ts";
import { type Json, type JsonMap, setOwn } from "../patch/json_value.ts";
import {
  invalid,
  notSupported,
  type Problems,
  required,
  wrongType,
} from "../validate/field_error.ts";
import { customKind } from "./kinds.ts";

const PARTS = ["spec", "status"] as const;

/** Fields that are reported; one mistake at the top can make thousands. */
const MOST = 50;

/**
 * What is wrong with the `spec` (and with the `status`, where that is no subresource) of an object of
 * a kind with a schema, in Kubernetes' words.
 */
export function customProblems(resource: ResourceDef, object: KubeObject): Problems {
  const kind = customKind(resource);
  if (!kind) return [];
  if (kind.specRequired && object["spec"] === undefined) return [required("spec")];
  return PARTS.flatMap((part) => {
    const schema = kind[part];
    const value = object[part];
    if (!schema || value === undefined || (part === "status" && resource.hasStatus)) return [];
    const result = schema.safeParse(value);
    if (result.success) return [];
    return result.error.issues.slice(0, MOST).map((issue) => problemOf(part, value, issue));
  });
}

function problemOf(part: string, value: unknown, issue: z.core.$ZodIssue): Problems[number] {
  const field = issue.path.reduce<string>(
    (path, step) => typeof step === "number" ? `${path}[${step}]` : `${path}.${String(step)}`,
    part,
  );
  const found = valueAt(value, issue.path);
  if (found === undefined) return required(field);
  if (issue.code === "invalid_value") return notSupported(field, found, issue.values.map(String));
  if (issue.code === "invalid_type") {
    return wrongType(field, found, issue.expected === "int" ? "integer" : jsonType(issue.expected));
  }
  if (issue.code === "invalid_union") return wrongType(field, found, "integer or string");
  return invalid(field, found, issue.message);
}

function jsonType(expected: string): string {
  return expected === "record" ? "object" : expected;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) =>
      typeof at === "object" && at !== null
        ? (at as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );
}

/** An object without the fields that its kind does not have, and the paths of those fields. */
export interface Pruned {
  readonly object: KubeObject;
  readonly unknown: readonly string[];
}

/** Prunes an object as an API server does by the schema of a CRD. Other kinds stay as they are. */
export function pruneCustom(resource: ResourceDef, object: KubeObject): Pruned {
  const kind = customKind(resource);
  if (!kind || resource.group === "skerry.dev") return { object, unknown: [] };
  const unknown: string[] = [];
  const out: KubeObject = { ...object };
  for (const [key, value] of Object.entries(object)) {
    if (["apiVersion", "kind", "metadata"].includes(key)) continue;
    const schema = key === "spec" || key === "status" ? kind[key] : undefined;
    if (schema) out[key] = prune(schema, value, key, unknown);
    else {
      delete out[key];
      note(unknown, key);
    }
  }
  return { object: out, unknown };
}

function note(unknown: string[], path: string): void {
  if (unknown.length < MOST) unknown.push(path);
}

/**
 * Values of a wrong type stay: it is for the validation to say so.
 *
 * @throws {AppError} BadRequest for a field `__proto__`
 */
function prune(schema: unknown, value: unknown, path: string, unknown: string[]): unknown {
  const type = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (type instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item, index) => prune(type.element, item, `${path}[${index}]`, unknown));
  }
  if (!isMap(value)) return value;
  if (type instanceof z.ZodRecord) {
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        key,
        prune(type.valueType, member, `${path}.${key}`, unknown),
      ]),
    );
  }
  if (!(type instanceof z.ZodObject)) return value;
  const loose = type.def.catchall !== undefined;
  const out: JsonMap = {};
  for (const [key, member] of Object.entries(value)) {
    const inner: unknown = Object.hasOwn(type.shape, key) ? type.shape[key] : undefined;
    if (inner !== undefined) {
      setOwn(out, key, prune(inner, member, `${path}.${key}`, unknown) as Json);
    } else if (loose) setOwn(out, key, member as Json);
    else note(unknown, `${path}.${key}`);
  }
  return out;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
