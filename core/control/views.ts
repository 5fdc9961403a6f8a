import { groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import type { Clock, Logger, Random, Service } from "../base/mod.ts";
import type { Store } from "../store/mod.ts";
import { controllerOf } from "./keys.ts";
import { View } from "./view.ts";

/** Options of {@linkcode Views}. */
export interface ViewsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The indexes that every view of {@linkcode Views} has. */
export type ViewIndex = "namespace" | "node" | "owner" | "owners";

/**
 * One shared {@linkcode View} a kind, so that ten controllers cost one watch. Ask for the views
 * before {@linkcode Views.service} runs.
 */
export class Views {
  readonly #options: ViewsOptions;
  readonly #views = new Map<string, View>();

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  /**
   * The view of a kind, with the indexes `namespace`, `node` (a pod's `spec.nodeName`, `""` when unbound), `owner` (uid of the
   * controlling owner) and `owners` (uids of all owners).
   */
  of<T extends KubeObject>(resource: ResourceDef): View<T> {
    const key = groupResource(resource);
    let view = this.#views.get(key);
    if (!view) {
      view = new View({
        ...this.#options,
        resource,
        indexes: {
          namespace: (object) => [object.metadata.namespace ?? ""],
          node: (object) => object.kind === "Pod" ? [object.spec?.nodeName ?? ""] : [],
          owner: (object) => {
            const owner = controllerOf(object);
            return owner ? [owner.uid] : [];
          },
          owners: (object) => object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [],
        },
      });
      this.#views.set(key, view);
    }
    // Views are untyped inside; the caller names the kind that belongs to the resource.
    return view as unknown as View<T>;
  }

  /** The view of a kind when somebody has asked for it. */
  find(resource: ResourceDef): View | undefined {
    return this.#views.get(groupResource(resource));
  }

  /** Runs all views; ready when all are synced. */
  service(name: string): Service {
    return {
      name,
      onFailure: "restart",
      run: async (signal, ready) => {
        const views = [...this.#views.values()];
        const running = Promise.all(views.map((view) => view.run(signal)));
        await Promise.race([Promise.all(views.map((view) => view.synced)), running]);
        if (!signal.aborted) ready();
        await running;
      },
    };
  }
}
