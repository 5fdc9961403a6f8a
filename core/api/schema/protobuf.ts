import { AppError } from "../../base/mod.ts";
import { formatQuantity } from "../quantity.ts";
import type { FieldSchema, TypeRef, TypeSchema } from "./parse.ts";
import { schemaTypes } from "./types.ts";

/** A decoded JSON object. */
type JsonObject = Record<string, unknown>;

const MAGIC = [0x6b, 0x38, 0x73, 0x00];

/**
 * Decodes Kubernetes' protobuf form (`application/vnd.kubernetes.protobuf`) into the JSON form.
 * Needed because kubectl's `create` verbs send it. Fields without a schema are left out.
 * @throws {AppError} BadRequest when it cannot be read, UnsupportedMediaType for kinds without a schema
 */
export function decodeKubeProtobuf(data: Uint8Array): JsonObject {
  if (!MAGIC.every((byte, index) => data[index] === byte)) {
    throw new AppError("BadRequest", "the body is not in Kubernetes' protobuf form");
  }
  let [apiVersion, kind, raw] = ["", "", new Uint8Array()];
  for (const part of new Reader(data.subarray(4))) {
    if (part.number === 2) raw = part.bytes();
    if (part.number !== 1) continue;
    for (const meta of new Reader(part.bytes())) {
      if (meta.number === 1) apiVersion = meta.text();
      if (meta.number === 2) kind = meta.text();
    }
  }
  const type = schemaTypes().get(kind);
  if (!type?.byName.has("apiVersion")) {
    throw new AppError("UnsupportedMediaType", `${kind} is not read from protobuf: send JSON`);
  }
  return { apiVersion, kind, ...decodeType(raw, type) };
}

function decodeType(data: Uint8Array, type: TypeSchema): JsonObject {
  const out: JsonObject = {};
  for (const part of new Reader(data)) {
    const field = part.number > 0 ? type.byNumber.get(part.number) : undefined;
    if (field) decodeField(out, part, field);
  }
  return out;
}

function decodeField(out: JsonObject, part: Part, field: FieldSchema): void {
  const { name, type } = field;
  if (type.form === "list") {
    const list = (out[name] ??= []) as unknown[];
    const item = decodeRef(part, type.of);
    if (item !== undefined) list.push(item);
    return;
  }
  if (type.form === "map") return decodeEntry((out[name] ??= {}) as JsonObject, part, type.of);
  const value = decodeRef(part, type);
  if (field.inline) Object.assign(out, value);
  else if (value !== undefined && (field.pointer || field.required || !isZero(value))) {
    out[name] = value;
  }
}

/** Plain fields are always on the wire; Kubernetes' JSON leaves their zeros out. */
function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false;
}

function decodeEntry(map: JsonObject, entry: Part, of: TypeRef): void {
  let key = "";
  let value: unknown = of.form === "named" && of.name === "string" ? "" : undefined;
  for (const part of new Reader(entry.bytes())) {
    if (part.number === 1) key = part.text();
    if (part.number === 2) value = decodeRef(part, of);
  }
  if (key !== "__proto__" && value !== undefined) map[key] = value;
}

function decodeRef(part: Part, ref: TypeRef): unknown {
  if (ref.form !== "named") return undefined;
  switch (ref.name) {
    case "string":
      return part.text();
    case "bytes":
      return part.bytes().toBase64();
    case "bool":
      return part.integer() !== 0;
    case "int32":
    case "int64":
      return part.integer();
    case "Quantity":
      return members(part)[1]?.text();
    case "IntOrString": {
      const { 1: kind, 2: number, 3: text } = members(part);
      return kind !== undefined && kind.integer() === 1
        ? text?.text() ?? ""
        : number?.integer() ?? 0;
    }
    case "Time":
    case "MicroTime":
      return timeOf(part, ref.name === "MicroTime");
    case "Duration":
      return `${formatQuantity(BigInt(members(part)[1]?.integer() ?? 0))}s`;
    case "any":
    case "float64":
      return undefined;
  }
  const type = schemaTypes().get(ref.name);
  return type ? decodeType(part.bytes(), type) : undefined;
}

function members(part: Part): Record<number, Part | undefined> {
  return Object.fromEntries([...new Reader(part.bytes())].map((one) => [one.number, one]));
}

function timeOf(part: Part, micro: boolean): string | undefined {
  const { 1: secondsPart, 2: nanosPart } = members(part);
  const seconds = secondsPart?.integer() ?? 0;
  // Go's zero time: an absent field.
  if (!secondsPart || seconds <= -62135596800 || Math.abs(seconds) > 8.64e12) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const nanos = Math.max(0, nanosPart?.integer() ?? 0);
  return micro ? `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z` : `${whole}Z`;
}

/** One field on the wire. */
class Part {
  readonly number: number;
  readonly #value: Uint8Array | number;

  constructor(number: number, value: Uint8Array | number) {
    this.number = number;
    this.#value = value;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    if (typeof this.#value === "number") throw malformed();
    return new Uint8Array(this.#value);
  }

  text(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.bytes());
    } catch {
      throw malformed();
    }
  }

  integer(): number {
    if (typeof this.#value !== "number") throw malformed();
    return this.#value;
  }
}

/** Reads the fields of one message. */
class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  *[Symbol.iterator](): Generator<Part> {
    while (this.#at < this.#data.length) {
      const tag = this.#varint();
      const wire = tag & 7n;
      const number = Number(tag >> 3n);
      if (wire === 0n) yield new Part(number, Number(BigInt.asIntN(64, this.#varint())));
      else if (wire === 2n) yield new Part(number, this.#take(Number(this.#varint())));
      else if (wire === 1n) this.#take(8);
      else if (wire === 5n) this.#take(4);
      else throw malformed();
    }
  }

  #take(size: number): Uint8Array {
    if (size > this.#data.length - this.#at) throw malformed();
    this.#at += size;
    return this.#data.subarray(this.#at - size, this.#at);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#data[this.#at++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed();
  }
}

function malformed(): AppError {
  return new AppError("BadRequest", "the protobuf body cannot be read: it is cut or damaged");
}
