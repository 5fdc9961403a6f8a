import { z } from "zod";

/** A schema of OpenAPI 3.0 as an API server demands it of CRDs ("structural"). */
export type StructuralSchema = Record<string, unknown>;

/** Words of JSON Schema that a structural schema has as well, with the same meaning. */
const KEPT = [
  "description",
  "required",
  "enum",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "pattern",
  "format",
  "default",
  "x-kubernetes-validations",
];
const FORMATS = new Set(["int32", "int64"]);
const PRESERVE = "x-kubernetes-preserve-unknown-fields";

/**
 * The structural schema of a zod schema: a `type` everywhere, no references, no alternatives but
 * integer-or-string, and no word on other fields than "keep them" (loose objects) or "prune them".
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
}

function convert(given: unknown): StructuralSchema {
  const source = isMap(given) ? given : {};
  const out: StructuralSchema = {};
  for (const key of KEPT) {
    if (source[key] !== undefined && says(key, source)) out[key] = source[key];
  }
  const { type, properties, additionalProperties, items } = source;
  if (Array.isArray(source["anyOf"]) || Array.isArray(type)) {
    for (const key of ["minimum", "maximum", "format", "pattern"]) delete out[key];
    return { ...out, "x-kubernetes-int-or-string": true };
  }
  if (typeof type !== "string") return { ...out, [PRESERVE]: true };
  out["type"] = type;
  if (type === "array") out["items"] = convert(items);
  if (type !== "object") return out;
  if (isMap(properties) && Object.keys(properties).length > 0) {
    out["properties"] = Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, convert(value)]),
    );
  }
  if (isMap(additionalProperties)) {
    // `{}` is what a loose object says.
    if (Object.keys(additionalProperties).length === 0) out[PRESERVE] = true;
    else if (!isMap(properties)) out["additionalProperties"] = convert(additionalProperties);
  }
  return out;
}

/** Leaves out what zod adds by itself and what no API server knows. */
function says(key: string, source: StructuralSchema): boolean {
  const value = source[key];
  if (key === "format") return FORMATS.has(String(value));
  if (key === "minimum" || key === "maximum") {
    const bits = source["format"] === "int32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
    return Math.abs(Number(value)) < bits - 1;
  }
  return true;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
