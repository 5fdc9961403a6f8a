import { numberOf, selectionOf, viewOf } from "../query.ts";
import { listResponse } from "../render.ts";
import type { ResourceContext } from "../types.ts";

/** GET of a collection: selectors, `limit` and `continue`. The answer is always the newest state. */
export async function listVerb(context: ResourceContext): Promise<Response> {
  const query = context.url.searchParams;
  const limit = numberOf(query, "limit");
  const token = query.get("continue");
  const view = viewOf(context);
  const list = await context.api.store.list(context.resource, {
    ...selectionOf(context),
    ...(limit ? { limit } : {}),
    ...(token ? { continue: token } : {}),
  });
  return listResponse(context.resource, list, view);
}
