import type { KubeObject, ResourceDef } from "../object.ts";
import type { FieldSchema, TypeRef, TypeSchema } from "./parse.ts";
import { schemaTypes, typeOfKind } from "./types.ts";

/** What a check of an object's fields found. */
export interface FieldReport {
  /** Paths of fields that the kind does not have. */
  readonly unknown: string[];
  /** Fields with a value of the wrong type, as sentences. */
  readonly wrong: string[];
}

/** Findings of one kind that are reported; one mistake at the top can make thousands. */
const MOST = 50;

/** Finds fields that a kind does not have, and values of the wrong type. Kinds without a schema pass. */
export function checkFields(resource: ResourceDef, object: KubeObject): FieldReport {
  const report: FieldReport = { unknown: [], wrong: [] };
  const type = typeOfKind(resource.group, resource.kind);
  if (type) checkType("", object, type, report);
  return report;
}

function checkType(path: string, value: unknown, type: TypeSchema, report: FieldReport): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong(path, value, "an object", report);
  }
  for (const [key, member] of Object.entries(value)) {
    const at = path === "" ? key : `${path}.${key}`;
    const field: FieldSchema | undefined = type.byName.get(key);
    if (field) checkRef(at, member, field.type, report);
    else if (report.unknown.length < MOST) report.unknown.push(at);
  }
}

function checkRef(path: string, value: unknown, ref: TypeRef, report: FieldReport): void {
  // In Kubernetes' JSON null is the same as absent.
  if (value === null || value === undefined) return;
  if (ref.form === "named") return checkNamed(path, value, ref.name, report);
  if (ref.form === "list") {
    if (!Array.isArray(value)) return wrong(path, value, "a list", report);
    value.forEach((item, index) => checkRef(`${path}[${index}]`, item, ref.of, report));
    return;
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    return wrong(path, value, "a map", report);
  }
  for (const [key, item] of Object.entries(value)) {
    checkRef(`${path}.${key}`, item, ref.of, report);
  }
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** What a value of a plain type must be; the rest are types with fields. */
const PLAIN: Readonly<Record<string, readonly [what: string, ok: (value: unknown) => boolean]>> = {
  string: ["a string", (value) => typeof value === "string"],
  bytes: ["a base64 string", (value) => typeof value === "string"],
  bool: ["a boolean", (value) => typeof value === "boolean"],
  int32: ["an integer", (value) => isInteger(value, 2 ** 31)],
  int64: ["an integer", (value) => isInteger(value, 2 ** 53)],
  float64: ["a number", (value) => typeof value === "number"],
  Quantity: ["a quantity", (value) => typeof value === "string" || typeof value === "number"],
  IntOrString: [
    "an integer or a string",
    (value) => typeof value === "string" || isInteger(value, 2 ** 31),
  ],
  Time: ["a time", isTime],
  MicroTime: ["a time", isTime],
  Duration: ["a duration", (value) => typeof value === "string"],
  any: ["anything", () => true],
};

function isInteger(value: unknown, limit: number): boolean {
  return Number.isInteger(value) && Math.abs(value as number) <= limit;
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && TIME.test(value) && !Number.isNaN(Date.parse(value));
}

function checkNamed(path: string, value: unknown, name: string, report: FieldReport): void {
  const plain = PLAIN[name];
  if (plain) {
    const [what, ok] = plain;
    if (!ok(value)) wrong(path, value, what, report);
    return;
  }
  const type = schemaTypes().get(name);
  if (type) checkType(path, value, type, report);
}

function wrong(path: string, value: unknown, wanted: string, report: FieldReport): void {
  if (report.wrong.length >= MOST) return;
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  report.wrong.push(`${path}: must be ${wanted}, not ${shown}`);
}
