import { apiVersionOf, type KubeObject, type ResourceDef } from "../../core/api/mod.ts";
import { isAppError } from "../../core/base/mod.ts";
import { isRemoved, keyOf, splitKey, type View } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { HeldKinds } from "./held_kinds.ts";

/**
 * The objects of applications, read and written in the version that a manifest names, whatever
 * version their kind is watched in.
 */
export class Children {
  readonly #store: Store;
  readonly #held: HeldKinds;
  /** By the state that the view has: the same state in the version that was last asked for. */
  readonly #others = new WeakMap<KubeObject, KubeObject>();

  constructor(parts: { readonly store: Store; readonly held: HeldKinds }) {
    this.#store = parts.store;
    this.#held = parts.held;
  }

  /** An object as it is; `undefined` when there is none. @throws {AppError} as `Store.get` */
  async read(resource: ResourceDef, key: string): Promise<KubeObject | undefined> {
    const view = this.#held.view(resource);
    const seen = view?.get(key);
    if (!view || !seen || isIn(view, resource)) return seen;
    const known = this.#others.get(seen);
    if (known?.apiVersion === apiVersionOf(resource)) return known;
    try {
      const object = await this.#store.get({ resource, ...splitKey(key) });
      this.#others.set(seen, object);
      return object;
    } catch (error) {
      if (isAppError(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /**
   * Creates or updates an object, on condition that it is still the one that was read. Returns what
   * the store answers, which is what it made of it.
   *
   * @throws {AppError} Conflict when it has changed since, and as `Store.create` and `Store.update`
   */
  async write(
    resource: ResourceDef,
    how: "create" | "update",
    object: KubeObject,
  ): Promise<KubeObject> {
    const { uid } = object.metadata;
    const ref = { resource, ...splitKey(keyOf(object)) };
    const done = how === "create"
      ? await this.#store.create(resource, object)
      : await this.#store.update(ref, () => structuredClone(object), {
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      });
    await this.#show(resource, done);
    return done;
  }

  /** The view holds every object in its own version only. */
  async #show(resource: ResourceDef, object: KubeObject): Promise<void> {
    const view = this.#held.view(resource);
    if (!view) return;
    if (isRemoved(object)) return view.removed(object);
    if (isIn(view, resource)) return view.wrote(object);
    const ref = { resource: view.resource, ...splitKey(keyOf(object)) };
    view.wrote(await this.#store.get(ref));
    const seen = view.get(keyOf(object));
    if (!seen) return;
    const { uid, resourceVersion } = seen.metadata;
    if (uid === object.metadata.uid && resourceVersion === object.metadata.resourceVersion) {
      this.#others.set(seen, object);
    }
  }
}

function isIn(view: View, resource: ResourceDef): boolean {
  return view.resource.version === resource.version;
}
