import type { KubeObject } from "../../api/mod.ts";
import { AppError } from "../../base/mod.ts";
import type { DeleteOptions } from "../../store/mod.ts";
import { type JsonObject, readJson } from "../body.ts";
import { dryRunOf, numberOf, selectionOf } from "../query.ts";
import { jsonResponse, listMetadata } from "../render.ts";
import { deletedStatus } from "../status.ts";
import type { ResourceContext } from "../types.ts";
import { apiVersionOf } from "../../api/mod.ts";
import { refOf } from "./get.ts";

const POLICIES: readonly unknown[] = ["Background", "Foreground", "Orphan"];

/** DELETE of one object. Answers the object while it goes away, a Status when it is gone. */
export async function deleteVerb(context: ResourceContext): Promise<Response> {
  const options = await readDeleteOptions(context);
  const object = await context.api.store.delete(refOf(context), options);
  return deletedResponse(context, object);
}

/** The answer to a deletion. */
export function deletedResponse({ resource }: ResourceContext, object: KubeObject): Response {
  const { deletionTimestamp, name, uid } = object.metadata;
  if (deletionTimestamp !== undefined) return jsonResponse(object);
  return jsonResponse(deletedStatus(resource, name, uid));
}

/** DELETE of a collection: every object that the selectors choose, one after the other. */
export async function deleteCollectionVerb(context: ResourceContext): Promise<Response> {
  const { api, resource } = context;
  const options = await readDeleteOptions(context);
  const list = await api.store.list(resource, selectionOf(context));
  const items: KubeObject[] = [];
  for (const { metadata: { name, namespace } } of list.items) {
    const ref = { resource, name, ...(namespace === undefined ? {} : { namespace }) };
    try {
      items.push(await api.store.delete(ref, options));
    } catch (error) {
      // Gone between the list and the delete: what was asked for.
      if (!(error instanceof AppError && error.code === "NotFound")) throw error;
    }
  }
  return jsonResponse({
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: listMetadata({ ...list, items }),
    items,
  });
}

/** Reads `DeleteOptions` from the body and the query. @throws {AppError} BadRequest, Invalid */
export async function readDeleteOptions(context: ResourceContext): Promise<DeleteOptions> {
  const body: JsonObject = await readJson(context.request, context.api.limits) ?? {};
  return deleteOptionsOf(body, context.url.searchParams);
}

/** The store's options of a Kubernetes `DeleteOptions`. Pure. */
export function deleteOptionsOf(body: JsonObject, query: URLSearchParams): DeleteOptions {
  const dryRun = dryRunOf(query, Array.isArray(body["dryRun"]) ? body["dryRun"] : []);
  const grace = body["gracePeriodSeconds"] ?? numberOf(query, "gracePeriodSeconds");
  const policy = body["propagationPolicy"] ?? query.get("propagationPolicy") ??
    (body["orphanDependents"] === true ? "Orphan" : undefined);
  if (policy !== undefined && !POLICIES.includes(policy)) {
    throw new AppError(
      "Invalid",
      `DeleteOptions "" is invalid: propagationPolicy: Unsupported value: "${policy}": ` +
        'supported values: "Background", "Foreground", "Orphan"',
    );
  }
  if (grace !== undefined && grace !== null && !(Number.isInteger(grace) && grace >= 0)) {
    throw new AppError("BadRequest", "gracePeriodSeconds: must be a whole number, 0 or more");
  }
  const { uid, resourceVersion } = body["preconditions"] ?? {};
  const preconditions = {
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
  };
  return {
    dryRun,
    ...(typeof grace === "number" ? { gracePeriodSeconds: grace } : {}),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(Object.keys(preconditions).length > 0 ? { preconditions } : {}),
  };
}
