import {
  AppError,
  backoffDelay,
  type Clock,
  isAppError,
  ms,
  type Random,
  sleep,
} from "../base/mod.ts";
import {
  apiVersionOf,
  groupResource,
  type JsonMap,
  jsonMergeDiff,
  type KubeObject,
  type ObjectRef,
  type ResourceDef,
  RESOURCES,
} from "../api/mod.ts";
import {
  type DeleteOptions,
  type ListOptions,
  type ListResult,
  type Selection,
  type Store,
  type UpdateOptions,
  type Watch,
  type WatchOptions,
  type WriteOptions,
} from "../store/mod.ts";
import type { Impersonation, KubeCall, KubeClient } from "./client.ts";
import { pathOf } from "./paths.ts";
import { type InitialPage, RemoteWatch, watchSeconds } from "./remote_watch.ts";
import type { VersionMark } from "./version_mark.ts";
import { arrived } from "./watch_event.ts";

/** Options of {@linkcode RemoteStore}. */
export interface RemoteStoreOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Who to be in place of the client itself for a read or write of a resource. @default {itself} */
  readonly as?: (access: "read" | "write", resource: ResourceDef) => Impersonation | undefined;
  /** What is known of the server's versions; one for all stores on it. @default {nothing is kept} */
  readonly mark?: VersionMark;
}

/** Whose the fields are that Skerry writes, for server-side apply. */
const FIELD_MANAGER = "skerry";
/** Objects in one answer of a list. */
const PAGE = 500;
/** Tries of a list whose version the server forgets before its last page. */
const MAX_LISTS = 3;
/** Tries of an update that others get ahead of. */
const MAX_CONFLICTS = 10;
const CONFLICT_BACKOFF = { base: ms(5), cap: ms(200) };

/** The objects of a Kubernetes API server. */
export class RemoteStore implements Store {
  readonly #options: RemoteStoreOptions;

  constructor(options: RemoteStoreOptions) {
    this.#options = options;
  }

  async get(ref: ObjectRef): Promise<KubeObject> {
    const { resource } = ref;
    return arrived(await this.#call(resource, { method: "GET", path: pathOf(resource, ref) }));
  }

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
      const list = await this.#listPage(resource, {
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

  async create(
    resource: ResourceDef,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<KubeObject> {
    const { name, generateName, namespace } = object.metadata;
    if (!name && !generateName) {
      throw new AppError("BadRequest", `a ${resource.kind} needs metadata.name or generateName`);
    }
    return arrived(
      await this.#call(resource, {
        method: "POST",
        path: pathOf(resource, namespace ? { namespace } : {}),
        query: { ...dryRun(options), fieldManager: FIELD_MANAGER },
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      }),
    );
  }

  async update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options: UpdateOptions = {},
  ): Promise<KubeObject> {
    const first = await this.#updateFrom(ref, change, options);
    if (first) return first;
    for (let tries = 0;; tries++) {
      const current = await this.get(ref);
      const patch = patchOf(ref, current, change, options);
      if (!patch) return current;
      try {
        return await this.#patch(ref, current, patch, options);
      } catch (error) {
        if (!isAppError(error, "Conflict") || tries >= MAX_CONFLICTS) throw error;
        const { clock, random } = this.#options;
        await sleep(clock, backoffDelay(CONFLICT_BACKOFF, tries, random));
      }
    }
  }

  /** One try from what was seen before; `undefined` when what is there now has to decide. */
  async #updateFrom(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject | undefined> {
    const { from } = options;
    if (!from) return undefined;
    let patch: JsonMap | undefined;
    try {
      patch = patchOf(ref, from, change, options);
    } catch {
      return undefined;
    }
    if (!patch) return undefined;
    try {
      return await this.#patch(ref, from, patch, options);
    } catch (error) {
      if (isAppError(error, "Conflict")) return undefined;
      throw error;
    }
  }

  /** Only what changes is sent, on condition that the object is still the one it is a change of. */
  async #patch(
    ref: ObjectRef,
    { metadata: { uid = "", resourceVersion = "" } }: KubeObject,
    patch: JsonMap,
    options: UpdateOptions,
  ): Promise<KubeObject> {
    const { resource } = ref;
    const subresource = options.subresource && resource.hasStatus
      ? { subresource: options.subresource }
      : {};
    return arrived(
      await this.#call(resource, {
        method: "PATCH",
        type: "application/merge-patch+json",
        path: pathOf(resource, { ...ref, ...subresource }),
        query: { ...dryRun(options), fieldManager: FIELD_MANAGER },
        body: { ...patch, metadata: { ...patch["metadata"] as JsonMap, uid, resourceVersion } },
      }),
    );
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<KubeObject> {
    const { preconditions, gracePeriodSeconds, propagationPolicy } = options;
    if (gracePeriodSeconds !== undefined && !(gracePeriodSeconds >= 0)) {
      throw new AppError("BadRequest", `gracePeriodSeconds must be 0 or more`);
    }
    const answer = await this.#call(ref.resource, {
      method: "DELETE",
      path: pathOf(ref.resource, ref),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        ...(options.dryRun ? { dryRun: ["All"] } : {}),
        ...(preconditions ? { preconditions } : {}),
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        propagationPolicy: propagationPolicy ?? "Background",
      },
    });
    if (answer?.kind !== "Status") return arrived(answer);
    // What went at once is told by a Status that names it.
    const { namespace, name, resource } = ref;
    const uid: unknown = answer.details?.uid;
    return arrived({
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        name,
        ...(namespace ? { namespace } : {}),
        ...(typeof uid === "string" ? { uid } : {}),
      },
    });
  }

  async watch(resource: ResourceDef, options: WatchOptions = {}): Promise<Watch> {
    const { resourceVersion, buffer = 1000 } = options;
    const { clock, mark } = this.#options;
    if (resourceVersion !== undefined && !/^\d+$/.test(resourceVersion)) {
      throw new AppError("BadRequest", `${JSON.stringify(resourceVersion)} is no version`);
    }
    const controller = new AbortController();
    // How often the server had gone back when this watch got its version; absent as long as that is
    // another's, from nobody knows when.
    let turns = resourceVersion === undefined ? mark?.now().turns : undefined;
    const isPresent = (version: string): boolean =>
      !mark ||
      (turns === undefined ? mark.isPresent(resource, version) : turns === mark.now().turns);
    const open = async (version: string, signal: AbortSignal) => {
      const now = await this.#versionNow(resource, options, signal);
      if (BigInt(version) > BigInt(now) || !isPresent(version)) {
        // A server restored from an older copy takes a version that it has not reached yet, and says
        // nothing until it has; of another history, a version means nothing even then.
        throw new AppError(
          "Expired",
          `version ${version} of ${
            groupResource(resource)
          } is not of the server's history, which ` +
            `is at ${now}: it was restored from an older copy`,
        );
      }
      turns = mark?.now().turns;
      return await this.#open(resource, version, options, signal);
    };
    const start = resourceVersion === undefined
      ? await this.#firstPage(resource, options)
      : { resourceVersion, body: await open(resourceVersion, controller.signal) };
    return new RemoteWatch({
      what: `watch of ${groupResource(resource)}`,
      clock,
      buffer,
      start,
      controller,
      open,
      saw: (version) => mark?.saw(resource, version),
    });
  }

  /** The cluster's identity: that of its oldest object. */
  async epoch(): Promise<string> {
    const { metadata } = await this.get({ resource: RESOURCES.namespaces, name: "kube-system" });
    return metadata.uid ?? "";
  }

  async #firstPage(resource: ResourceDef, options: ListOptions): Promise<InitialPage> {
    const list = await this.#listPage(resource, { ...options, limit: PAGE });
    const { resourceVersion, continue: next } = list.metadata;
    return {
      events: list.items.map((object) => ({
        type: "ADDED",
        object,
        resourceVersion: object.metadata.resourceVersion ?? "",
      })),
      resourceVersion,
      ...(next ? { next: () => this.#firstPage(resource, { ...options, continue: next }) } : {}),
    };
  }

  async #versionNow(
    resource: ResourceDef,
    selection: Selection,
    signal: AbortSignal,
  ): Promise<string> {
    const { metadata } = await this.#listPage(resource, { ...selection, limit: 1 }, signal);
    return metadata.resourceVersion;
  }

  async #open(
    resource: ResourceDef,
    resourceVersion: string,
    selection: Selection,
    signal: AbortSignal,
  ) {
    const { client, random } = this.#options;
    const as = this.#options.as?.("read", resource);
    const { namespace } = selection;
    return await client.open({
      path: pathOf(resource, namespace ? { namespace } : {}),
      signal,
      query: {
        ...selectors(selection),
        watch: true,
        resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: watchSeconds(random),
      },
      ...(as ? { as } : {}),
    });
  }

  /** A page of at most `limit` objects; of fewer when those are too large for one answer. */
  async #listPage(
    resource: ResourceDef,
    options: ListOptions & { readonly limit: number },
    signal?: AbortSignal,
  ): Promise<KubeList> {
    const { namespace, continue: token } = options;
    const { mark } = this.#options;
    for (let limit = options.limit;; limit = Math.max(1, Math.floor(limit / 10))) {
      const before = mark?.now();
      try {
        const list: KubeList = await this.#call(resource, {
          method: "GET",
          path: pathOf(resource, namespace ? { namespace } : {}),
          query: { ...selectors(options), limit, continue: token },
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

  // deno-lint-ignore no-explicit-any -- answers of any kind
  async #call(resource: ResourceDef, call: KubeCall): Promise<any> {
    const as = this.#options.as?.(call.method === "GET" ? "read" : "write", resource);
    return await this.#options.client.call(as ? { ...call, as } : call);
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

function selectors({ labelSelector, fieldSelector }: Selection) {
  return { labelSelector, fieldSelector };
}

function dryRun(options: WriteOptions) {
  return options.dryRun ? { dryRun: "All" } : {};
}

/**
 * What a change does to an object; nothing when it does nothing. The server is not sent the rest: of
 * all else it would ask whether a node may, and a taint that came meanwhile would count as removed.
 *
 * @throws {AppError} Conflict, BadRequest, and what `change` throws
 */
function patchOf(
  ref: ObjectRef,
  current: KubeObject,
  change: (current: KubeObject) => KubeObject,
  options: UpdateOptions,
): JsonMap | undefined {
  check(ref, current, options);
  const wanted = next(ref, current, change(structuredClone(current)), options);
  return jsonMergeDiff(current as JsonMap, wanted as JsonMap);
}

/** @throws {AppError} Conflict */
function check(ref: ObjectRef, current: KubeObject, { preconditions }: UpdateOptions): void {
  for (const field of ["uid", "resourceVersion"] as const) {
    const wanted = preconditions?.[field];
    if (wanted === undefined || wanted === current.metadata[field]) continue;
    throw new AppError(
      "Conflict",
      `${groupResource(ref.resource)} "${ref.name}": its ${field} is ` +
        `${current.metadata[field]}, not ${wanted}`,
    );
  }
}

/** What is to be stored: what cannot be changed here stays. @throws {AppError} Conflict, BadRequest */
function next(
  ref: ObjectRef,
  current: KubeObject,
  wanted: KubeObject,
  { subresource }: UpdateOptions,
): KubeObject {
  const { resourceVersion: version, name } = wanted.metadata;
  const { metadata } = current;
  const what = `${groupResource(ref.resource)} "${ref.name}"`;
  if (version !== undefined && version !== metadata.resourceVersion) {
    throw new AppError(
      "Conflict",
      `${what}: the change is of version ${version}, the server has ${metadata.resourceVersion}`,
    );
  }
  if (name !== metadata.name || wanted.metadata.namespace !== metadata.namespace) {
    throw new AppError("BadRequest", `${what}: its name cannot be changed to ${name}`);
  }
  if (!ref.resource.hasStatus) return whole(wanted, current);
  if (subresource === "status") return { ...current, status: wanted["status"] };
  const { status: _, ...rest } = wanted;
  return whole(
    current["status"] === undefined
      ? rest as KubeObject
      : { ...rest, status: current["status"] } as KubeObject,
    current,
  );
}

/** Identity is the server's: left out of a change it stays. */
function whole(wanted: KubeObject, { metadata }: KubeObject): KubeObject {
  const { uid, creationTimestamp, resourceVersion, generation } = metadata;
  const fixed = { uid, creationTimestamp, resourceVersion, generation };
  return JSON.parse(JSON.stringify({ ...wanted, metadata: { ...wanted.metadata, ...fixed } }));
}

function byName(a: KubeObject, b: KubeObject): number {
  const [x, y] = [a, b].map(({ metadata }) => `${metadata.namespace ?? ""}\0${metadata.name}`);
  return (x ?? "") < (y ?? "") ? -1 : 1;
}
