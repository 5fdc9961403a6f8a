import { AppError } from "../base/mod.ts";
import { groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { deepFreeze, withVersion } from "./json.ts";
import { SEALED, SEALED_RESOURCES, type Sealer } from "./seal.ts";
import { DamagedStoreError, guarded } from "./sqlite_errors.ts";
import type { Statements } from "./sqlite_statements.ts";

/** One committed change of one object, with the states before and after it. */
export interface Change {
  readonly rv: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** As {@linkcode groupResource} names it. */
  readonly resource: string;
  /** The state after; for DELETED the last state, with the version of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

/** Which part of a resource a page shows. */
export interface PageQuery {
  /** As {@linkcode groupResource} names it. */
  readonly resource: string;
  readonly namespace?: string | undefined;
  /** Only what stands after this item; from the start when absent. */
  readonly after?: { readonly namespace: string; readonly name: string } | undefined;
  readonly limit: number;
  /** The state at this version; absent: now. */
  readonly version?: number | undefined;
}

type Columns = Record<string, unknown>;

/** Reads objects and the log. Objects come out frozen. */
export class SqliteReader {
  readonly #path: string;
  readonly #sql: Statements;
  readonly #sealer: Sealer | undefined;

  constructor(path: string, sql: Statements, sealer: Sealer | undefined) {
    this.#path = path;
    this.#sql = sql;
    this.#sealer = sealer;
  }

  /** The current object and its version. */
  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    const row = guarded(this.#path, () => this.#sql.get.get(resource, namespace, name));
    return row && this.decode(row["body"], row["rv"]);
  }

  /** At most `limit` objects in the order of namespace, then name. */
  page(query: PageQuery): KubeObject[] {
    const { namespace, version, limit } = query;
    const { list, listWithin, listAt, listWithinAt } = this.#sql;
    const now = namespace ? listWithin : list;
    const statement = version === undefined ? now : namespace ? listWithinAt : listAt;
    const rows = guarded(this.#path, () => statement.all({ ...parameters(query), limit }));
    return rows.map((row) => this.decode(row["body"], row["rv"]));
  }

  /** How many objects {@linkcode scan} would give. */
  count(query: Omit<PageQuery, "limit">): number {
    const { namespace, version } = query;
    const { count, countWithin, countAt, countWithinAt } = this.#sql;
    const now = namespace ? countWithin : count;
    const statement = version === undefined ? now : namespace ? countWithinAt : countAt;
    const row = guarded(this.#path, () => statement.get(parameters(query)));
    return Number(row?.["count"]);
  }

  /** Every object of a resource, page by page so that only what the caller keeps stays in memory. */
  *scan(query: Omit<PageQuery, "limit">, pageSize = 200): Generator<KubeObject, void> {
    let after = query.after;
    for (;;) {
      const items = this.page({ ...query, after, limit: pageSize });
      yield* items;
      const last = items.at(-1);
      if (!last || items.length < pageSize) return;
      after = { namespace: last.metadata.namespace ?? "", name: last.metadata.name };
    }
  }

  /** At most `limit` changes of a resource after version `after`, oldest first. */
  history(resource: ResourceDef, after: number, limit: number): Change[] {
    const key = groupResource(resource);
    const rows = guarded(this.#path, () => this.#sql.history.all(key, after, limit));
    return rows.map((row) => this.#change(key, row));
  }

  #change(resource: string, row: Columns): Change {
    const rv = Number(row["rv"]);
    const previous = row["previous"] === null
      ? undefined
      : this.decode(row["previous"], row["prevRv"]);
    if (row["type"] === "DELETED" && previous) {
      return { rv, type: "DELETED", resource, object: withVersion(previous, rv), previous };
    }
    const type = previous ? "MODIFIED" : "ADDED";
    return { rv, type, resource, object: this.decode(row["body"], rv), previous };
  }

  /** @throws {AppError} InternalError (`DamagedStoreError`) when the text is no object */
  decode(body: unknown, rv: unknown): KubeObject {
    try {
      const text = String(body);
      const clear = text.startsWith(SEALED) ? this.#sealer?.open(text, Number(rv)) : text;
      const object = JSON.parse(clear ?? "") as KubeObject;
      object.metadata.resourceVersion = String(rv);
      return deepFreeze(object);
    } catch (cause) {
      throw new DamagedStoreError(this.#path, `version ${rv} cannot be read`, cause);
    }
  }

  /**
   * The text that is stored of version `rv` of an object: all but its version, which has a column
   * of its own; sealed for the kinds that are.
   *
   * @throws {AppError} RequestEntityTooLarge
   */
  encode(resource: string, object: KubeObject, rv: number): string {
    const body = encodeObject(object);
    return SEALED_RESOURCES.has(resource) ? this.#sealer?.seal(body, rv) ?? body : body;
  }
}

function parameters(
  { resource, namespace, after, version }: Omit<PageQuery, "limit">,
): Record<string, string | number> {
  const where = namespace ? { namespace } : { afterNamespace: after?.namespace ?? "" };
  const at = version === undefined ? {} : { version };
  return { resource, ...where, ...at, afterName: after?.name ?? "" };
}

function encodeObject(object: KubeObject): string {
  const { resourceVersion: _, ...metadata } = object.metadata;
  const body = JSON.stringify({ ...object, metadata });
  if (body.length > MAX_BODY) {
    throw new AppError(
      "RequestEntityTooLarge",
      `${object.kind} "${object.metadata.name}" has ${body.length} characters as JSON, ` +
        `at most ${MAX_BODY} can be stored`,
    );
  }
  return body;
}

/** Characters of JSON that one object may have; the HTTP and link rims have lower caps. */
const MAX_BODY = 4 * 1024 * 1024;
