import {
  groupResource,
  type KubeObject,
  type ObjectRef,
  type ResourceDef,
} from "../../core/api/mod.ts";
import { AppError, isAppError } from "../../core/base/mod.ts";
import type {
  ListOptions,
  ListResult,
  Store,
  Watch,
  WatchEvent,
  WatchOptions,
} from "../../core/store/mod.ts";
import { NODE_KINDS } from "../../core/sync/mod.ts";
import type { NodeVersions } from "./versions.ts";

/** The kinds that a node holds: what a hub sends it, and its own pods and functions among them. */
const HELD = new Set(NODE_KINDS.map(groupResource));

/**
 * What this node holds, for its pods while the cluster is away: read only, with marked versions. What it
 * does not hold may exist, so nothing here says that it does not: that would be taken for a deletion.
 */
export class NodeStore implements Store {
  readonly #store: Store;
  readonly #versions: NodeVersions;
  readonly #who: () => Away;

  /** `who` tells what is away, for errors. */
  constructor(store: Store, versions: NodeVersions, who: () => Away) {
    this.#store = store;
    this.#versions = versions;
    this.#who = who;
  }

  async get(ref: ObjectRef): Promise<KubeObject> {
    this.#assertHeld(ref.resource);
    try {
      return this.#marked(await this.#store.get(ref));
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
      const what = `${groupResource(ref.resource)} "${ref.name}"`;
      throw awayError(this.#who(), `this node does not hold ${what}`);
    }
  }

  async list(resource: ResourceDef, options: ListOptions = {}): Promise<ListResult> {
    this.#assertHeld(resource);
    const { continue: token, ...rest } = options;
    const list = await this.#store.list(resource, {
      ...rest,
      ...(token ? { continue: this.#versions.unmarkContinue(token) } : {}),
    });
    return {
      ...list,
      items: list.items.map((item) => this.#marked(item)),
      resourceVersion: this.#versions.mark(list.resourceVersion),
      ...(list.continue ? { continue: this.#versions.markContinue(list.continue) } : {}),
    };
  }

  async watch(resource: ResourceDef, options: WatchOptions = {}): Promise<Watch> {
    this.#assertHeld(resource);
    const { resourceVersion, ...rest } = options;
    const watch = await this.#store.watch(resource, {
      ...rest,
      ...(resourceVersion === undefined
        ? {}
        : { resourceVersion: this.#versions.unmark(resourceVersion) }),
    });
    const event = (one: WatchEvent): WatchEvent => {
      const version = this.#versions.mark(one.resourceVersion);
      if (one.type === "BOOKMARK") return { ...one, resourceVersion: version };
      return { ...one, object: this.#marked(one.object), resourceVersion: version };
    };
    return {
      abort: () => watch.abort(),
      [Symbol.dispose]: () => watch.abort(),
      async *[Symbol.asyncIterator]() {
        for await (const one of watch) yield event(one);
      },
    };
  }

  create(): Promise<never> {
    return this.#refuseWrite();
  }

  update(): Promise<never> {
    return this.#refuseWrite();
  }

  delete(): Promise<never> {
    return this.#refuseWrite();
  }

  epoch(): Promise<string> {
    return this.#store.epoch();
  }

  /** @throws {AppError} ServiceUnavailable */
  #assertHeld(resource: ResourceDef): void {
    const kind = groupResource(resource);
    if (!HELD.has(kind)) throw awayError(this.#who(), `the node itself holds no ${kind}`);
  }

  #refuseWrite(): Promise<never> {
    return Promise.reject(awayError(this.#who(), "nothing can be written"));
  }

  #marked(object: KubeObject): KubeObject {
    const { resourceVersion } = object.metadata;
    if (resourceVersion === undefined) return object;
    const metadata = { ...object.metadata, resourceVersion: this.#versions.mark(resourceVersion) };
    return { ...object, metadata };
  }
}

/** What is missing between this node and the cluster's API server: the link, or the server itself. */
export type Away = "hub" | "server";

const AWAY: Readonly<Record<Away, string>> = {
  "hub": "the hub is away from this node",
  "server": "the API server is away from the hub",
};

/** The refusal of what needs the cluster. */
export function awayError(who: Away, what: string): AppError {
  return new AppError(
    "ServiceUnavailable",
    `${AWAY[who]}, and ${what}: try again when it is back`,
    { retryAfterSeconds: 1 },
  );
}
