import type { JsonSchema } from "./schemas.ts";

/** The media type of an OpenAPI 2.0 document in protobuf, as Kubernetes answers it. */
export const PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/**
 * The protobuf form of an OpenAPI 2.0 document without paths: message `openapi.v2.Document`. What
 * kubectl reads to validate a `kind: List` by itself; it takes no JSON there.
 */
export function encodeDocumentV2(document: JsonSchema): Uint8Array<ArrayBuffer> {
  const { title, version } = document["info"] as Record<string, string>;
  const definitions = Object.entries(document["definitions"] as Record<string, JsonSchema>);
  return join([
    text(1, document["swagger"]),
    bytes(2, join([text(1, title), text(2, version)])),
    bytes(8, join([])),
    bytes(9, join(definitions.map(([name, schema]) => named(1, name, encodeSchema(schema))))),
  ]);
}

/** Message `openapi.v2.Schema`, of the words that the schemas here use. */
function encodeSchema(schema: JsonSchema): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [word, value] of Object.entries(schema)) {
    if (word.startsWith("x-")) parts.push(named(31, word, any(value)));
    else parts.push(...(ENCODERS[word]?.(value) ?? []));
  }
  return join(parts);
}

// deno-lint-ignore no-explicit-any -- the value of a word of a schema that this server made
const ENCODERS: Readonly<Record<string, (value: any) => Uint8Array[]>> = {
  $ref: (value) => [text(1, value)],
  format: (value) => [text(2, value)],
  description: (value) => [text(4, value)],
  default: (value) => [bytes(5, any(value))],
  pattern: (value) => [text(13, value)],
  minItems: (value) => [join([varint(15 << 3), varint(value)])],
  required: (value: string[]) => value.map((one) => text(19, one)),
  enum: (value: unknown[]) => value.map((one) => bytes(20, any(one))),
  additionalProperties: (value) => [bytes(21, bytes(1, encodeSchema(value)))],
  type: (value) => [bytes(22, text(1, value))],
  items: (value) => [bytes(23, bytes(1, encodeSchema(value)))],
  properties: (value: Record<string, JsonSchema>) => [
    bytes(25, join(Object.entries(value).map(([name, one]) => named(1, name, encodeSchema(one))))),
  ],
};

/** Message `Any`: a value as YAML, of which JSON is a part. */
function any(value: unknown): Uint8Array {
  return text(2, JSON.stringify(value));
}

/** An entry of a map, which `openapi.v2` writes as a list of names and values. */
function named(number: number, name: string, value: Uint8Array): Uint8Array {
  return bytes(number, join([text(1, name), bytes(2, value)]));
}

function text(number: number, value: unknown): Uint8Array {
  return bytes(number, new TextEncoder().encode(String(value)));
}

function bytes(number: number, data: Uint8Array): Uint8Array {
  return join([varint(number << 3 | 2), varint(data.length), data]);
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  for (let rest = value;; rest >>>= 7) {
    if (rest < 0x80) return new Uint8Array([...out, rest]);
    out.push(rest & 0x7f | 0x80);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
