import { checkFieldLabels, parseFieldSelector } from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import type { Selection } from "../store/mod.ts";
import { formOf } from "./negotiate.ts";
import type { View } from "./render.ts";
import type { RowForm } from "./table/mod.ts";
import type { RequestContext, ResourceContext } from "./types.ts";

/** Whether the request only asks what would happen. @throws {AppError} BadRequest for a value other than `All` */
export function dryRunOf(query: URLSearchParams, body?: readonly unknown[]): boolean {
  const values = [...query.getAll("dryRun"), ...(body ?? [])].filter((value) => value !== "");
  for (const value of values) {
    if (value !== "All") {
      throw new AppError("BadRequest", `dryRun: Unsupported value: "${value}": use "All"`);
    }
  }
  return values.length > 0;
}

/** `fieldValidation`; kube-apiserver's default is `Warn`. @throws {AppError} BadRequest */
export function fieldValidationOf(query: URLSearchParams): "Strict" | "Warn" | "Ignore" {
  const value = query.get("fieldValidation") ?? "";
  if (value === "" || value === "Warn") return "Warn";
  if (value === "Strict" || value === "Ignore") return value;
  throw new AppError(
    "BadRequest",
    `fieldValidation: Unsupported value: "${value}": use "Strict", "Warn" or "Ignore"`,
  );
}

/** A whole number of a query, `undefined` when absent. @throws {AppError} BadRequest */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new AppError("BadRequest", `${name}: "${text}" is not a whole number`);
  }
  return Number(text);
}

/** What of a collection a request selects. @throws {AppError} BadRequest */
export function selectionOf(context: ResourceContext): Selection {
  const query = context.url.searchParams;
  const labelSelector = query.get("labelSelector");
  // A list or watch of one named object is a selection by its name.
  const byName = context.name === "" ? undefined : `metadata.name=${context.name}`;
  const byFields = query.get("fieldSelector") || undefined;
  if (byFields) checkFieldLabels(context.resource, parseFieldSelector(byFields));
  const fields = [byFields, byName].filter(Boolean).join(",");
  return {
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
    ...(labelSelector ? { labelSelector } : {}),
    ...(fields === "" ? {} : { fieldSelector: fields }),
  };
}

const ROW_FORMS: readonly string[] = ["None", "Metadata", "Object"];

/** How the client wants its objects. @throws {AppError} BadRequest for an unknown `includeObject` */
export function viewOf(context: RequestContext): View {
  const rows = context.url.searchParams.get("includeObject") || "Metadata";
  if (!ROW_FORMS.includes(rows)) {
    throw new AppError(
      "BadRequest",
      `includeObject: Unsupported value: "${rows}": use "None", "Metadata" or "Object"`,
    );
  }
  return {
    form: formOf(context.request.headers.get("accept")),
    rows: rows as RowForm,
    now: context.api.clock.now(),
  };
}
