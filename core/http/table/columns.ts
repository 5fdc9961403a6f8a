import type { KubeObject } from "../../api/mod.ts";
import type { Ms } from "../../base/mod.ts";

/** `metav1.TableColumnDefinition`. */
export interface TableColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly format: "" | "name";
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number;
}

/** One cell of a table. */
export type Cell = string | number;

/** How one kind is shown in a table. */
export interface KindTable {
  readonly columns: readonly TableColumn[];
  /** The cells of one object, as many as there are columns. Never throws, whatever the object holds. */
  cells(object: KubeObject, now: Ms): Cell[];
}

type Kind = "string" | "integer" | "wide" | "wide-integer";

/** A column; `wide` ones are shown with `-o wide` only. */
export function column(name: string, description: string, kind: Kind = "string"): TableColumn {
  return {
    name,
    type: kind.endsWith("integer") ? "integer" : "string",
    format: name === "Name" && kind !== "wide" ? "name" : "",
    description,
    priority: kind.startsWith("wide") ? 1 : 0,
  };
}

/** The columns that nearly every kind has. */
export const NAME: TableColumn = column(
  "Name",
  "Name must be unique within a namespace.",
);
/** Time since creation. */
export const AGE: TableColumn = column(
  "Age",
  "Time since the object was created (RFC 3339 creationTimestamp).",
);

/** `a=b,c=d`, or `<none>`. */
export function labelText(labels: unknown): string {
  const entries = Object.entries(typeof labels === "object" && labels !== null ? labels : {});
  return entries.length === 0
    ? "<none>"
    : entries.sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => `${k}=${v}`).join(",");
}

/** A list, whatever a field holds. */
// deno-lint-ignore no-explicit-any -- stored objects of any shape; members are read with `?.`
export function listOf(value: unknown): any[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "object" && item) : [];
}

/** A number, 0 when a field holds none. */
export function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** A text, `otherwise` when a field holds none. */
export function text(value: unknown, otherwise = ""): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}
