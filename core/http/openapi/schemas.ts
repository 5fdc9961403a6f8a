import { MERGE_FIELDS, type ResourceDef } from "../../api/mod.ts";
import { customSchema } from "../../api/crd/mod.ts";
import {
  type FieldSchema,
  schemaTypes,
  typeOfKind,
  type TypeRef,
  type TypeSchema,
} from "../../api/schema/mod.ts";
import { DESCRIPTIONS } from "./descriptions.ts";

/** A schema of OpenAPI 3.0 (or 2.0: they are the same as far as they go here). */
export type JsonSchema = Record<string, unknown>;

/** Where references point to in an OpenAPI 2.0 document. */
export const SCHEMAS_V2 = "#/definitions/";
/** Where references point to in an OpenAPI 3.0 document. */
export const SCHEMAS_V3 = "#/components/schemas/";

/** The schemas of the kinds of one group and version and of all types inside them, by name. */
export function schemasOf(resources: readonly ResourceDef[], refBase: string): JsonSchema {
  const texts = descriptions();
  const out: JsonSchema = {};
  const add = (type: TypeSchema): void => {
    const name = schemaName(type.name);
    if (name in out) return;
    out[name] = {};
    out[name] = typeSchema(type, texts, refBase, add);
  };
  for (const resource of resources) {
    const type = typeOfKind(resource.group, resource.kind);
    if (type) add(type);
    else {
      const meta = schemaTypes().get("ObjectMeta");
      if (meta) add(meta);
      out[schemaName(resource.kind)] = schemaOfCustom(resource, refBase);
    }
    const { group, version, kind } = resource;
    Object.assign(out[schemaName(kind)] as JsonSchema, {
      "x-kubernetes-group-version-kind": [{ group, kind, version }],
    });
  }
  return out;
}

/** The name of a type among the schemas. */
export function schemaName(type: string): string {
  return `v1.${type}`;
}

function descriptions(): ReadonlyMap<string, string> {
  return new Map(
    DESCRIPTIONS.split("\n").filter((line) => line !== "").map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)];
    }),
  );
}

function typeSchema(
  type: TypeSchema,
  texts: ReadonlyMap<string, string>,
  refBase: string,
  add: (type: TypeSchema) => void,
): JsonSchema {
  const properties: JsonSchema = {};
  const required: string[] = [];
  const addFields = (from: TypeSchema): void => {
    for (const field of from.fields) {
      const inner = field.inline && field.type.form === "named"
        ? schemaTypes().get(field.type.name)
        : undefined;
      if (inner) addFields(inner);
      else properties[field.name] = fieldSchema(type, from, field, texts, refBase, add);
      if (field.required && !inner) required.push(field.name);
    }
  };
  addFields(type);
  const description = texts.get(type.name) ?? "";
  return {
    type: "object",
    description,
    properties,
    ...(required.length > 0 ? { required } : {}),
  };
}

function fieldSchema(
  type: TypeSchema,
  from: TypeSchema,
  field: FieldSchema,
  texts: ReadonlyMap<string, string>,
  refBase: string,
  add: (type: TypeSchema) => void,
): JsonSchema {
  const merge = MERGE_FIELDS[type.name]?.[field.name];
  const strategies = [
    ...(merge?.key !== undefined || merge?.set ? ["merge"] : []),
    ...(merge?.retainKeys ? ["retainKeys"] : []),
  ];
  return {
    ...refSchema(field.type, refBase, add),
    description: texts.get(`${from.name}.${field.name}`) ?? COMMON[field.name] ?? "",
    ...(merge?.key === undefined ? {} : { "x-kubernetes-patch-merge-key": merge.key }),
    ...(strategies.length > 0 ? { "x-kubernetes-patch-strategy": strategies.join(",") } : {}),
  };
}

const COMMON: Readonly<Record<string, string>> = {
  apiVersion: "Group and version of the kind, e.g. v1 or apps/v1.",
  kind: "What the object is.",
  metadata: "Standard object metadata.",
  spec: "What is wanted.",
  status: "What was last observed.",
};

const PLAIN: Readonly<Record<string, JsonSchema>> = {
  string: { type: "string" },
  bytes: { type: "string", format: "byte" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  float64: { type: "number", format: "double" },
  Quantity: { type: "string", "x-kubernetes-int-or-string": true },
  IntOrString: { type: "string", format: "int-or-string", "x-kubernetes-int-or-string": true },
  Time: { type: "string", format: "date-time" },
  MicroTime: { type: "string", format: "date-time" },
  Duration: { type: "string" },
  any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
};

function refSchema(ref: TypeRef, refBase: string, add: (type: TypeSchema) => void): JsonSchema {
  if (ref.form !== "named") {
    const of = refSchema(ref.of, refBase, add);
    return ref.form === "list"
      ? { type: "array", items: of }
      : { type: "object", additionalProperties: of };
  }
  const plain = PLAIN[ref.name];
  if (plain) return { ...plain };
  const type = schemaTypes().get(ref.name);
  if (type) add(type);
  return reference(ref.name, refBase);
}

/**
 * A bare reference may have no neighbours in OpenAPI 3.0, so it is wrapped there, as Kubernetes does.
 * Of version 2.0, clients look through bare references only.
 */
function reference(type: string, refBase: string): JsonSchema {
  const $ref = `${refBase}${schemaName(type)}`;
  return refBase === SCHEMAS_V2 ? { $ref } : { allOf: [{ $ref }], default: {} };
}

/** Of kinds that are not Kubernetes' own. */
function schemaOfCustom(resource: ResourceDef, refBase: string): JsonSchema {
  const schema = customSchema(resource) ??
    { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const properties = schema["properties"] as JsonSchema | undefined;
  const meta = { ...reference("ObjectMeta", refBase), description: COMMON["metadata"] };
  return { ...schema, properties: { ...properties, metadata: meta } };
}
