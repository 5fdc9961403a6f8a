import { AppError } from "../../base/mod.ts";
import { readJson } from "../body.ts";
import { dryRunOf, viewOf } from "../query.ts";
import { jsonResponse, renderObject } from "../render.ts";
import type { ResourceContext } from "../types.ts";
import { admitNew } from "../write.ts";

/** POST to a collection. */
export async function createVerb(context: ResourceContext): Promise<Response> {
  const { api, resource, url } = context;
  const dryRun = dryRunOf(url.searchParams);
  const body = await readJson(context.request, api.limits);
  if (!body) throw new AppError("BadRequest", "the body is empty: send the object to create");
  const object = await admitNew(context, body);
  const made = await api.store.create(resource, object, { dryRun });
  return jsonResponse(renderObject(resource, made, viewOf(context)), 201);
}
