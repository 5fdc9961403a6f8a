import { apiVersionOf, type KubeObject, type ResourceDef } from "../api/mod.ts";
import type { Ms } from "../base/mod.ts";
import type { ListResult } from "../store/mod.ts";
import type { Form } from "./negotiate.ts";
import { columnsOf, type RowForm, rowOf, type TableColumn } from "./table/mod.ts";

const JSON_HEADERS = { "content-type": "application/json" };
/** Items that are turned into text at once; keeps a list of thousands from standing in memory twice. */
const BATCH = 100;

/** An answer of one JSON value. */
export function jsonResponse(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: JSON_HEADERS });
}

/** How a request wants its objects. */
export interface View {
  readonly form: Form;
  readonly rows: RowForm;
  readonly now: Ms;
}

/** One object in the form that was asked for. */
export function renderObject(resource: ResourceDef, object: KubeObject, view: View): unknown {
  if (view.form === "table") {
    return {
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
      columnDefinitions: columnsOf(resource),
      rows: [rowOf(resource, object, view)],
    };
  }
  return view.form === "metadata" ? metadataOnly(object) : object;
}

/** One watch event's object; the columns come with the first one only, as Kubernetes does. */
export function renderEvent(
  resource: ResourceDef,
  object: KubeObject,
  view: View,
  columns: readonly TableColumn[] | null,
): unknown {
  if (view.form !== "table") return renderObject(resource, object, view);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
    columnDefinitions: columns,
    rows: [rowOf(resource, object, view)],
  };
}

/** The metadata of an object, as Kubernetes' `PartialObjectMetadata`. */
export function metadataOnly(object: KubeObject): KubeObject {
  return {
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: object.metadata,
  };
}

/** A list in the form that was asked for, written out in pieces as the client reads it. */
export function listResponse(resource: ResourceDef, list: ListResult, view: View): Response {
  const encoder = new TextEncoder();
  const [head, item] = listShape(resource, list, view);
  let at = -1;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < 0) {
        at = 0;
        controller.enqueue(encoder.encode(head));
        return;
      }
      const part = list.items.slice(at, at + BATCH).map((object) => JSON.stringify(item(object)));
      const lead = at > 0 && part.length > 0 ? "," : "";
      at += BATCH;
      const last = at >= list.items.length;
      controller.enqueue(encoder.encode(`${lead}${part.join(",")}${last ? "]}" : ""}`));
      if (last) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: JSON_HEADERS });
}

function listShape(
  resource: ResourceDef,
  list: ListResult,
  view: View,
): [head: string, item: (object: KubeObject) => unknown] {
  const metadata = listMetadata(list);
  const open = (head: Record<string, unknown>, field: string): string =>
    `${JSON.stringify({ ...head, metadata }).slice(0, -1)},"${field}":[`;
  if (view.form === "table") {
    const columnDefinitions = columnsOf(resource);
    const head = { kind: "Table", apiVersion: "meta.k8s.io/v1", columnDefinitions };
    return [open(head, "rows"), (object) => rowOf(resource, object, view)];
  }
  if (view.form === "metadata") {
    const head = { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1" };
    return [open(head, "items"), metadataOnly];
  }
  const head = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource) };
  return [open(head, "items"), (object) => object];
}

/** `metadata` of a list. */
export function listMetadata(list: ListResult): Record<string, unknown> {
  return {
    resourceVersion: list.resourceVersion,
    ...(list.continue ? { continue: list.continue } : {}),
    ...(list.remainingItemCount ? { remainingItemCount: list.remainingItemCount } : {}),
  };
}
