import type { ObjectRef } from "../../api/mod.ts";
import { viewOf } from "../query.ts";
import { jsonResponse, renderObject } from "../render.ts";
import type { ResourceContext } from "../types.ts";

/** The object that a request names. */
export function refOf({ resource, namespace, name }: ResourceContext): ObjectRef {
  return { resource, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** GET of one object, also of its `status`. */
export async function getVerb(context: ResourceContext): Promise<Response> {
  const object = await context.api.store.get(refOf(context));
  return jsonResponse(renderObject(context.resource, object, viewOf(context)));
}
