import {
  apiVersionOf,
  type JsonMap,
  type KubeObject,
  type ObjectRef,
  type ResourceDef,
  RESOURCES,
} from "../api/mod.ts";
import {
  AppError,
  backoffDelay,
  type Clock,
  isAppError,
  ms,
  type Random,
  sleep,
} from "../base/mod.ts";
import type {
  DeleteOptions,
  ListOptions,
  ListResult,
  Store,
  UpdateOptions,
  Watch,
  WatchOptions,
  WriteOptions,
} from "../store/mod.ts";
import { Lists } from "./lists.ts";
import { patchOf } from "./patch_of.ts";
import { pathOf } from "./paths.ts";
import { ResourceClient, type ResourceClientOptions } from "./resource_client.ts";
import { DELETED, OBJECT } from "./shapes.ts";
import type { VersionMark } from "./version_mark.ts";
import { arrived } from "./watch_event.ts";
import { Watches } from "./watches.ts";

/** Options of {@linkcode RemoteStore}. */
export interface RemoteStoreOptions extends ResourceClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** What is known of the server's versions; one for all stores on it. @default {nothing is kept} */
  readonly mark?: VersionMark;
}

/** Whose the fields are that Skerry writes, for server-side apply. */
const FIELD_MANAGER = "skerry";
/** Tries of an update that others get ahead of. */
const MAX_CONFLICTS = 10;
const CONFLICT_BACKOFF = { base: ms(5), cap: ms(200) };

/** The objects of a Kubernetes API server. */
export class RemoteStore implements Store {
  readonly #options: RemoteStoreOptions;
  readonly #client: ResourceClient;
  readonly #lists: Lists;
  readonly #watches: Watches;

  constructor(options: RemoteStoreOptions) {
    const { clock, random, mark } = options;
    this.#options = options;
    const client = this.#client = new ResourceClient(options);
    const lists = this.#lists = new Lists({ client, mark });
    this.#watches = new Watches({ client, lists, clock, random, mark });
  }

  async get(ref: ObjectRef): Promise<KubeObject> {
    const { resource } = ref;
    return arrived(
      await this.#client.call(resource, {
        method: "GET",
        path: pathOf(resource, ref),
        shape: OBJECT,
      }),
    );
  }

  async list(resource: ResourceDef, options?: ListOptions): Promise<ListResult> {
    return await this.#lists.list(resource, options);
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
      await this.#client.call(resource, {
        method: "POST",
        path: pathOf(resource, namespace ? { namespace } : {}),
        query: { ...dryRun(options), fieldManager: FIELD_MANAGER },
        shape: OBJECT,
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
      await this.#client.call(resource, {
        method: "PATCH",
        type: "application/merge-patch+json",
        path: pathOf(resource, { ...ref, ...subresource }),
        query: { ...dryRun(options), fieldManager: FIELD_MANAGER },
        shape: OBJECT,
        body: { ...patch, metadata: { ...patch["metadata"] as JsonMap, uid, resourceVersion } },
      }),
    );
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<KubeObject> {
    const { preconditions, gracePeriodSeconds, propagationPolicy } = options;
    if (gracePeriodSeconds !== undefined && !(gracePeriodSeconds >= 0)) {
      throw new AppError("BadRequest", `gracePeriodSeconds must be 0 or more`);
    }
    const answer = await this.#client.call(ref.resource, {
      method: "DELETE",
      path: pathOf(ref.resource, ref),
      shape: DELETED,
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        ...(options.dryRun ? { dryRun: ["All"] } : {}),
        ...(preconditions ? { preconditions } : {}),
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        propagationPolicy: propagationPolicy ?? "Background",
      },
    });
    if (answer.kind !== "Status") return arrived(answer);
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

  async watch(resource: ResourceDef, options?: WatchOptions): Promise<Watch> {
    return await this.#watches.watch(resource, options);
  }

  /** The cluster's identity: that of its oldest object. */
  async epoch(): Promise<string> {
    const { metadata } = await this.get({ resource: RESOURCES.namespaces, name: "kube-system" });
    return metadata.uid ?? "";
  }
}

function dryRun(options: WriteOptions) {
  return options.dryRun ? { dryRun: "All" } : {};
}
