/**
 * Types of Kubernetes' API in a short notation, with the names, types and protobuf numbers of
 * Kubernetes 1.34. One type is
 *
 *     Type = field:NUMBER:TYPE field*:NUMBER:TYPE &:NUMBER:TYPE
 *
 * `*` after the name: a client must send it. `&`: the fields of TYPE stand beside the others in
 * JSON. `*` before the type: zero is a value and not the same as absent. `[]T` is a list, `map:T` a
 * map from text. Number 0: not in protobuf. `any` is not looked into.
 */
export interface FieldSchema {
  readonly name: string;
  readonly number: number;
  readonly type: TypeRef;
  readonly required: boolean;
  /** Its members stand beside the others in JSON. */
  readonly inline: boolean;
  /** Zero is a value of its own. */
  readonly pointer: boolean;
}

/** A type of a field. */
export type TypeRef =
  | { readonly form: "list" | "map"; readonly of: TypeRef }
  | { readonly form: "named"; readonly name: string };

/** The fields of a type, in the order of the notation. */
export interface TypeSchema {
  readonly name: string;
  readonly fields: readonly FieldSchema[];
  /** Fields by their JSON names, those of inline members too. */
  readonly byName: ReadonlyMap<string, FieldSchema>;
  /** Fields by their protobuf numbers. */
  readonly byNumber: ReadonlyMap<number, FieldSchema>;
}

/** Reads types in the notation above. @throws {TypeError} when a text cannot be read */
export function parseTypes(texts: readonly string[]): ReadonlyMap<string, TypeSchema> {
  const raw = new Map<string, FieldSchema[]>();
  let current: FieldSchema[] | undefined;
  for (const line of texts.join("\n").split("\n")) {
    const head = /^(\w+) = /.exec(line);
    if (head?.[1] !== undefined) raw.set(head[1], current = []);
    const words = line.slice(head?.[0].length ?? 0).split(" ").filter((word) => word !== "");
    for (const word of words) current?.push(parseField(word));
  }
  const types = new Map<string, TypeSchema>();
  for (const [name, fields] of raw) {
    types.set(name, {
      name,
      fields,
      byName: new Map(flatten(fields, raw).map((field) => [field.name, field])),
      byNumber: new Map(fields.map((field) => [field.number, field])),
    });
  }
  return types;
}

function flatten(
  fields: readonly FieldSchema[],
  types: ReadonlyMap<string, FieldSchema[]>,
): FieldSchema[] {
  return fields.flatMap((field) =>
    field.inline && field.type.form === "named"
      ? flatten(types.get(field.type.name) ?? [], types)
      : [field]
  );
}

function parseField(word: string): FieldSchema {
  const match = /^(\w+|&)(\*?):(\d+):(\*?)([\w:[\]]+)$/.exec(word);
  const [, name, required, number, pointer, type] = match ?? [];
  if (name === undefined || type === undefined) {
    throw new TypeError(`Cannot read the field "${word}" of a type`);
  }
  return {
    name,
    number: Number(number),
    type: parseType(type),
    required: required === "*",
    inline: name === "&",
    pointer: pointer === "*",
  };
}

function parseType(text: string): TypeRef {
  if (text.startsWith("[]")) return { form: "list", of: parseType(text.slice(2)) };
  if (text.startsWith("map:")) return { form: "map", of: parseType(text.slice(4)) };
  return { form: "named", name: text };
}
