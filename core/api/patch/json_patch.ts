import { AppError } from "../../base/mod.ts";
import { isMap, type Json, jsonEqual, own, setOwn } from "./json_value.ts";

/** Operations in one patch; kube-apiserver's own limit. */
const MAX_OPERATIONS = 10_000;

/**
 * Applies a JSON patch (RFC 6902) and returns the new value; the argument stays as it is.
 * @throws {AppError} BadRequest for a patch that cannot be read, Invalid for one that does not fit the document
 */
export function jsonPatch(document: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) {
    throw new AppError("BadRequest", "a JSON patch must be a list of operations");
  }
  if (operations.length > MAX_OPERATIONS) {
    throw new AppError(
      "RequestEntityTooLarge",
      `the JSON patch has ${operations.length} operations: the limit is ${MAX_OPERATIONS}`,
    );
  }
  let root = structuredClone(document) as Json;
  operations.forEach((operation, index) => {
    root = applyOne(root, operation, index);
  });
  return root;
}

function applyOne(root: Json, operation: unknown, index: number): Json {
  if (!isMap(operation)) throw unreadable(index, "must be an object");
  const path = pointer(own(operation, "path"), index, "path");
  const value = (): Json => {
    const given = own(operation, "value");
    if (given === undefined) throw unreadable(index, "needs a value");
    return structuredClone(given);
  };
  switch (own(operation, "op")) {
    case "add":
      return add(root, path, value(), index);
    case "remove":
      return remove(root, path, index);
    case "replace":
      read(root, path, index);
      return path.length === 0 ? value() : replace(root, path, value(), index);
    case "move": {
      const from = pointer(own(operation, "from"), index, "from");
      if (from.length < path.length && from.every((part, at) => part === path[at])) {
        throw doesNotFit(index, "cannot move a value into itself");
      }
      const moved = read(root, from, index);
      return add(remove(root, from, index), path, moved, index);
    }
    case "copy": {
      const from = pointer(own(operation, "from"), index, "from");
      return add(root, path, structuredClone(read(root, from, index)), index);
    }
    case "test":
      if (!jsonEqual(read(root, path, index), value())) {
        throw doesNotFit(index, `test failed at ${JSON.stringify(operation["path"])}`);
      }
      return root;
    default:
      throw unreadable(index, `has an unknown op ${JSON.stringify(operation["op"])}`);
  }
}

function pointer(text: Json | undefined, index: number, field: string): string[] {
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/"))) {
    throw unreadable(index, `needs a ${field} that starts with "/"`);
  }
  return text === ""
    ? []
    : text.slice(1).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function read(root: Json, path: readonly string[], index: number): Json {
  let at: Json = root;
  for (const part of path) {
    const next: Json | undefined = Array.isArray(at)
      ? at[arrayIndex(part, at.length - 1, index)]
      : isMap(at)
      ? own(at, part)
      : undefined;
    if (next === undefined) throw missing(index, path);
    at = next;
  }
  return at;
}

function parentOf(root: Json, path: readonly string[], index: number): [Json, string] {
  return [read(root, path.slice(0, -1), index), path.at(-1) ?? ""];
}

function add(root: Json, path: readonly string[], value: Json, index: number): Json {
  if (path.length === 0) return value;
  const [parent, key] = parentOf(root, path, index);
  if (Array.isArray(parent)) {
    const at = key === "-" ? parent.length : arrayIndex(key, parent.length, index);
    parent.splice(at, 0, value);
  } else if (isMap(parent)) setOwn(parent, key, value);
  else throw missing(index, path);
  return root;
}

function replace(root: Json, path: readonly string[], value: Json, index: number): Json {
  const [parent, key] = parentOf(root, path, index);
  if (Array.isArray(parent)) parent[arrayIndex(key, parent.length - 1, index)] = value;
  else if (isMap(parent)) setOwn(parent, key, value);
  return root;
}

function remove(root: Json, path: readonly string[], index: number): Json {
  read(root, path, index);
  if (path.length === 0) return null;
  const [parent, key] = parentOf(root, path, index);
  if (Array.isArray(parent)) parent.splice(arrayIndex(key, parent.length - 1, index), 1);
  else if (isMap(parent)) delete parent[key];
  return root;
}

function arrayIndex(text: string, last: number, index: number): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(text) || Number(text) > last) {
    throw doesNotFit(index, `index ${JSON.stringify(text)} is not in the list`);
  }
  return Number(text);
}

function missing(index: number, path: readonly string[]): AppError {
  return doesNotFit(index, `nothing is at "/${path.join("/")}"`);
}

function unreadable(index: number, why: string): AppError {
  return new AppError("BadRequest", `operation ${index} of the JSON patch ${why}`);
}

function doesNotFit(index: number, why: string): AppError {
  return new AppError("Invalid", `operation ${index} of the JSON patch does not fit: ${why}`);
}
