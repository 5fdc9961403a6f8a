import type { KubeObject, ResourceDef } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import type { DeleteOptions, Store } from "../store/mod.ts";
import { isRemoved } from "./keys.ts";
import type { Views } from "./views.ts";

/** One step that a pure rule asks for. */
export type Action =
  | { readonly do: "create"; readonly resource: ResourceDef; readonly object: KubeObject }
  /** Writes all but the status; `object` carries the version that the rule saw. */
  | { readonly do: "update"; readonly resource: ResourceDef; readonly object: KubeObject }
  /** Writes only the status; `object` carries the version that the rule saw. */
  | { readonly do: "status"; readonly resource: ResourceDef; readonly object: KubeObject }
  | {
    readonly do: "delete";
    readonly resource: ResourceDef;
    readonly object: KubeObject;
    readonly options?: Omit<DeleteOptions, "preconditions">;
  };

/** Carries out actions on a store and shows the results to the views at once. */
export class Actor {
  readonly #store: Store;
  readonly #views: Views | undefined;

  constructor(store: Store, views?: Views) {
    this.#store = store;
    this.#views = views;
  }

  /**
   * Carries out `actions` in order. Returns the objects that it created, with their names.
   * @throws {AppError} Conflict when an object has changed since
   */
  async run(actions: Iterable<Action>): Promise<KubeObject[]> {
    const created: KubeObject[] = [];
    for (const action of actions) {
      if (action.do === "create") created.push(await this.create(action.resource, action.object));
      else await this.#change(action);
    }
    return created;
  }

  /** Creates and returns the object. @throws {AppError} AlreadyExists and as `Store.create` */
  async create(resource: ResourceDef, object: KubeObject): Promise<KubeObject> {
    const made = await this.#store.create(resource, object);
    this.#views?.find(resource)?.wrote(made);
    return made;
  }

  async #change(action: Exclude<Action, { do: "create" }>): Promise<void> {
    if (action.do === "delete") return await this.#delete(action);
    const { resource, object } = action;
    const { uid } = object.metadata;
    const done = await this.#store.update(
      refOf(resource, object),
      () => structuredClone(object),
      {
        ...(uid === undefined ? {} : { preconditions: { uid } }),
        ...(action.do === "status" ? { subresource: "status" as const } : {}),
      },
    );
    this.#show(resource, done, isRemoved(done));
  }

  async #delete({ resource, object, options }: Action & { do: "delete" }): Promise<void> {
    const { uid } = object.metadata;
    try {
      const left = await this.#store.delete(refOf(resource, object), {
        ...options,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      });
      // What goes at once may be answered as it was last seen.
      this.#show(resource, left, left.metadata.deletionTimestamp === undefined || isRemoved(left));
    } catch (error) {
      // Gone, or another object of the same name: either way this one is no more.
      if (!isAppError(error, "NotFound", "Conflict")) throw error;
      this.#views?.find(resource)?.removed(object);
    }
  }

  #show(resource: ResourceDef, object: KubeObject, gone: boolean): void {
    const view = this.#views?.find(resource);
    if (gone) view?.removed(object);
    else view?.wrote(object);
  }
}

function refOf(resource: ResourceDef, object: KubeObject) {
  const { namespace, name } = object.metadata;
  return { resource, name, ...(namespace === undefined ? {} : { namespace }) };
}
