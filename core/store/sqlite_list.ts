import { AppError } from "../base/mod.ts";
import { groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { formatContinue, parseContinue } from "./continue_token.ts";
import { expired } from "./messages.ts";
import { compileSelection } from "./selection.ts";
import type { PageQuery, SqliteReader } from "./sqlite_reader.ts";
import type { ListOptions, ListResult } from "./store.ts";

/** The store as a list sees it. */
export interface ListContext {
  readonly reader: SqliteReader;
  readonly epoch: string;
  /** The newest version. */
  readonly version: number;
  /** The oldest version whose state can still be read. */
  readonly oldest: number;
}

/**
 * One page (or all) of a resource. All pages of one list show the state at the first page's
 * version, read back from the log.
 *
 * @throws {AppError} BadRequest for a bad selector, limit or token; Expired for a token from
 * before the oldest kept change, or of another epoch
 */
export function listObjects(
  resource: ResourceDef,
  options: ListOptions,
  context: ListContext,
): ListResult {
  const matches = compileSelection(options);
  const limit = options.limit ?? 0;
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new AppError("BadRequest", `limit must be a whole number >= 0, not ${limit}`);
  }
  const start = options.continue ? resume(resource, options.continue, context) : undefined;
  const version = start?.rv ?? context.version;
  const query: Omit<PageQuery, "limit"> = {
    resource: groupResource(resource),
    namespace: options.namespace,
    after: start,
    version: version === context.version ? undefined : version,
  };
  const items: KubeObject[] = [];
  let more = false;
  const pageSize = limit > 0 && limit < 200 && !matches ? limit + 1 : 200;
  for (const object of context.reader.scan(query, pageSize)) {
    if (matches && !matches(object)) continue;
    more = limit > 0 && items.length === limit;
    if (more) break;
    items.push(object);
  }
  const resourceVersion = String(version);
  const last = items.at(-1)?.metadata;
  if (!more || !last) return { items, resourceVersion };
  const after = { namespace: last.namespace ?? "", name: last.name };
  const page = {
    items,
    resourceVersion,
    continue: formatContinue({ epoch: context.epoch, rv: version, ...after }),
  };
  // As in Kubernetes: with a selector nobody knows how many remain without reading them.
  if (options.labelSelector || options.fieldSelector) return page;
  return { ...page, remainingItemCount: context.reader.count({ ...query, after }) };
}

function resume(
  resource: ResourceDef,
  text: string,
  context: ListContext,
): { rv: number; namespace: string; name: string } {
  const token = parseContinue(text);
  const ours = token.epoch === context.epoch && token.rv <= context.version;
  if (!ours || token.rv < context.oldest) {
    throw expired(`list of ${groupResource(resource)}`, token.rv, context.oldest);
  }
  return token;
}
