import { apiVersionOf, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import type { ListOptions, ListResult, Selection } from "../store/mod.ts";
import { pathOf } from "./paths.ts";
import type { InitialPage } from "./remote_watch.ts";
import type { ResourceClient } from "./resource_client.ts";
import { LIST } from "./shapes.ts";
import type { VersionMark } from "./version_mark.ts";
import { arrived } from "./watch_event.ts";

/** Options of {@linkcode Lists}. */
export interface ListsOptions {
  readonly client: ResourceClient;
  /** Told of the versions that lists show. */
  readonly mark: VersionMark | undefined;
}

/** Objects in one answer of a list. */
const PAGE = 500;
/** Tries of a list whose version the server forgets before its last page. */
const MAX_LISTS = 3;

/** Reads the objects of a resource, a page at a time. */
export class Lists {
  readonly #options: ListsOptions;

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  /** See `Store.list`. */
  async list(resource: ResourceDef, options: ListOptions = {}): Promise<ListResult> {
    const { limit, continue: token } = options;
    for (let tries = 1;; tries++) {
      try {
        return await this.#list(resource, options);
      } catch (error) {
        // The server forgot the version in the midst of its pages: all of it anew.
        const whole = !limit && !token;
        if (!whole || !isAppError(error, "Expired") || tries >= MAX_LISTS) throw error;
      }
    }
  }

  async #list(resource: ResourceDef, options: ListOptions): Promise<ListResult> {
    const { namespace, limit, continue: token } = options;
    const pages: KubeObject[][] = [];
    let from = token;
    for (;;) {
      const list = await this.#page(resource, {
        ...options,
        limit: limit || PAGE,
        ...(from ? { continue: from } : {}),
      });
      pages.push(list.items);
      const { resourceVersion, continue: next, remainingItemCount } = list.metadata;
      // Without a limit all pages are one answer here.
      if (next && !limit) {
        from = next;
        continue;
      }
      const items = pages.flat();
      // The server's order is by key; across namespaces that is the order wanted as well.
      if (namespace === undefined) items.sort(byName);
      return {
        items,
        resourceVersion,
        ...(next ? { continue: next } : {}),
        ...(remainingItemCount ? { remainingItemCount } : {}),
      };
    }
  }

  /** The first page of a watch that begins with what there is. */
  async firstPage(resource: ResourceDef, options: ListOptions): Promise<InitialPage> {
    const list = await this.#page(resource, { ...options, limit: PAGE });
    const { resourceVersion, continue: next } = list.metadata;
    return {
      events: list.items.map((object) => ({
        type: "ADDED",
        object,
        resourceVersion: object.metadata.resourceVersion ?? "",
      })),
      resourceVersion,
      ...(next ? { next: () => this.firstPage(resource, { ...options, continue: next }) } : {}),
    };
  }

  /** The version at which the resource stands. */
  async versionNow(
    resource: ResourceDef,
    selection: Selection,
    signal: AbortSignal,
  ): Promise<string> {
    const { metadata } = await this.#page(resource, { ...selection, limit: 1 }, signal);
    return metadata.resourceVersion;
  }

  /** A page of at most `limit` objects; of fewer when those are too large for one answer. */
  async #page(
    resource: ResourceDef,
    options: ListOptions & { readonly limit: number },
    signal?: AbortSignal,
  ): Promise<KubeList> {
    const { namespace, continue: token } = options;
    const { client, mark } = this.#options;
    for (let limit = options.limit;; limit = Math.max(1, Math.floor(limit / 10))) {
      const before = mark?.now();
      try {
        const list: KubeList = await client.call(resource, {
          method: "GET",
          path: pathOf(resource, namespace ? { namespace } : {}),
          query: { ...selectors(options), limit, continue: token },
          shape: LIST,
          ...(signal ? { signal } : {}),
        });
        // Later pages show the version of the first.
        if (!token && before) mark?.listed(resource, list.metadata.resourceVersion, before);
        const kind = { apiVersion: apiVersionOf(resource), kind: resource.kind };
        // Items of a list do not say what they are.
        return { ...list, items: (list.items ?? []).map((item) => arrived({ ...kind, ...item })) };
      } catch (error) {
        if (!isAppError(error, "RequestEntityTooLarge") || limit === 1) throw error;
      }
    }
  }
}

interface KubeList {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: KubeObject[];
}

/** A selection as query parameters. */
export function selectors(
  { labelSelector, fieldSelector }: Selection,
): Record<"labelSelector" | "fieldSelector", string | undefined> {
  return { labelSelector, fieldSelector };
}

function byName(a: KubeObject, b: KubeObject): number {
  const [x, y] = [a, b].map(({ metadata }) => `${metadata.namespace ?? ""}\0${metadata.name}`);
  return (x ?? "") < (y ?? "") ? -1 : 1;
}
