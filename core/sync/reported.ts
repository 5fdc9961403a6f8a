import { AppError } from "../base/mod.ts";
import { isQuantity, type KubeObject, type ResourceDef, validateObject } from "../api/mod.ts";
import type { TypeRef, TypeSchema } from "../api/schema/mod.ts";

/** Bytes of one status that a node reports, as JSON. */
export const REPORT_BYTES = 128 * 1024;

/**
 * Checks that something a node wants stored is not too large.
 *
 * @throws {AppError} Invalid
 */
export function checkSize(what: string, value: unknown, limit: number = REPORT_BYTES): void {
  const size = new TextEncoder().encode(JSON.stringify(value) ?? "").length;
  if (size <= limit) return;
  throw new AppError("Invalid", `${what} has ${size} bytes: at most ${limit} are taken of a node`);
}

/**
 * Checks the types of what a node wants stored, more strictly than the API does it with a client:
 * one value that a typed client cannot decode makes every list with this object unreadable.
 *
 * @throws {AppError} Invalid
 */
export async function checkTypes(resource: ResourceDef, object: KubeObject): Promise<void> {
  // Only a hub applies intents: an agent never holds the schemas.
  const { checkFields, schemaTypes, typeOfKind } = await import("../api/schema/mod.ts");
  const { wrong } = checkFields(resource, object);
  const type = typeOfKind(resource.group, resource.kind);
  if (wrong.length === 0 && type) checkMembers({ types: schemaTypes(), wrong }, "", object, type);
  const [first] = wrong;
  if (first === undefined) return;
  const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : "";
  throw new AppError("Invalid", `${nameOf(resource, object)} is invalid: ${first}${more}`);
}

/**
 * {@linkcode checkTypes}, and the rules of the kind: all that a client's object has to pass.
 *
 * @throws {AppError} Invalid
 */
export async function checkObject(resource: ResourceDef, object: KubeObject): Promise<void> {
  await checkTypes(resource, object);
  const [first] = validateObject(resource, object);
  if (!first) return;
  const text = `${first.field}: ${first.message}`.slice(0, 500);
  throw new AppError("Invalid", `${nameOf(resource, object)} is invalid: ${text}`);
}

function nameOf({ kind }: ResourceDef, { metadata }: KubeObject): string {
  const { namespace, name } = metadata;
  return `${kind} ${namespace ? `${namespace}/` : ""}${name}`.slice(0, 500);
}

interface Found {
  readonly types: ReadonlyMap<string, TypeSchema>;
  readonly wrong: string[];
}

/** Members of the right JSON type that clients nevertheless cannot read or stumble over. */
function checkMembers(found: Found, path: string, value: object, type: TypeSchema): void {
  for (const [key, member] of Object.entries(value)) {
    const ref = type.byName.get(key)?.type;
    if (ref) checkMember(found, path === "" ? key : `${path}.${key}`, member, ref);
  }
}

function checkMember(found: Found, path: string, value: unknown, ref: TypeRef): void {
  if (value === null || value === undefined) return;
  if (ref.form !== "named") {
    for (const [key, item] of Object.entries(value)) {
      const at = `${path}[${key}]`;
      if (item === null) found.wrong.push(`${at}: must not be null`);
      else checkMember(found, at, item, ref.of);
    }
    return;
  }
  if (ref.name === "Quantity" && !isQuantity(value)) {
    found.wrong.push(`${path}: must be a quantity such as 100m, 64Mi or 2`);
  } else if ((ref.name === "Time" || ref.name === "MicroTime") && !isOnCalendar(String(value))) {
    found.wrong.push(`${path}: must be a time of the calendar`);
  }
  const type = found.types.get(ref.name);
  if (type && typeof value === "object") checkMembers(found, path, value, type);
}

/** `Date` takes 30 February and 24:00 for the day after; other clients do not. */
export function isOnCalendar(text: string): boolean {
  const wall = text.slice(0, 19);
  const at = Date.parse(`${wall}Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(wall);
}
