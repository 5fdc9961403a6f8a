import { AppError } from "../../base/mod.ts";
import { readJson } from "../body.ts";
import { dryRunOf, viewOf } from "../query.ts";
import { jsonResponse, renderObject } from "../render.ts";
import type { ResourceContext } from "../types.ts";
import { admitChange, checkIncoming } from "../write.ts";
import { refOf } from "./get.ts";

/** PUT of one object or of its `status`. */
export async function updateVerb(context: ResourceContext): Promise<Response> {
  const { api, resource, url } = context;
  const dryRun = dryRunOf(url.searchParams);
  const body = await readJson(context.request, api.limits);
  if (!body) throw new AppError("BadRequest", "the body is empty: send the whole object");
  const next = await checkIncoming(context, body);
  const status = context.attributes.subresource === "status";
  const made = await api.store.update(
    refOf(context),
    (current) => admitChange(context, current, structuredClone(next)),
    { dryRun, ...(status ? { subresource: "status" } : {}) },
  );
  return jsonResponse(renderObject(resource, made, viewOf(context)));
}
