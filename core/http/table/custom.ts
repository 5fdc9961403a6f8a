import { type CustomColumn, customColumns, type ResourceDef } from "../../api/mod.ts";
import { ageOf } from "./age.ts";
import { type Cell, column, type KindTable, NAME } from "./columns.ts";

/**
 * The table of a kind that is not Kubernetes' own, out of the columns that its CRD has; `undefined` when
 * it has none.
 */
export function customTable(resource: ResourceDef): KindTable | undefined {
  const columns = customColumns(resource);
  if (columns.length === 0) return undefined;
  return {
    columns: [NAME, ...columns.map(tableColumn)],
    cells: (object, now) => [
      object.metadata.name,
      ...columns.map(({ type, jsonPath }): Cell => {
        const value = valueAt(object, jsonPath);
        if (type === "date") return ageOf(typeof value === "string" ? value : undefined, now);
        if (type === "integer") return typeof value === "number" ? value : "";
        if (value === undefined || value === null) return "";
        return typeof value === "string" ? value : JSON.stringify(value);
      }),
    ],
  };
}

function tableColumn({ name, type, description, wide }: CustomColumn) {
  const kind = type === "integer" ? "integer" : "string";
  return column(name, description, wide ? (kind === "integer" ? "wide-integer" : "wide") : kind);
}

/** `.name`, or the first item of a list whose `type` is a word: all that our columns use. */
const STEP = /\.(\w+)|\[\?\(@\.type=="([^"]+)"\)\]/gy;

function valueAt(object: unknown, path: string): unknown {
  let at = object;
  for (const [, name, type] of path.matchAll(STEP)) {
    if (typeof at !== "object" || at === null) return undefined;
    if (name !== undefined) {
      at = Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
    } else at = Array.isArray(at) ? at.find((item) => item?.type === type) : undefined;
  }
  return at;
}
