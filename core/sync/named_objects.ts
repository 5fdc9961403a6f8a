import { type Clock, errorText, type Logger, type Random, seconds } from "../base/mod.ts";
import { findResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { Informer } from "../cache/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ObjectKey } from "./interest.ts";

/** Options of {@linkcode NamedObjects}. */
export interface NamedObjectsOptions {
  /** What a node may read. */
  readonly storeOf: (node: string) => Store;
  /** The nodes that want an object now. */
  readonly wantedBy: (key: ObjectKey) => Iterable<string>;
  readonly changed: (
    resource: ResourceDef,
    object: KubeObject | undefined,
    previous: KubeObject | undefined,
  ) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** An object that nobody wants is followed so much longer: sessions end and begin, pods are replaced. */
const LINGER = seconds(30);

interface Followed {
  readonly informer: Informer;
  readonly stop: AbortController;
  linger?: Disposable;
}

/**
 * Secrets and ConfigMaps that are followed one by one, by name, each by the store of a node that
 * wants it: a hub that may read no Secret itself cannot give one away by mistake. As a kubelet does
 * it, but once for all nodes.
 */
export class NamedObjects {
  readonly #options: NamedObjectsOptions;
  readonly #followed = new Map<ObjectKey, Followed>();

  constructor(options: NamedObjectsOptions) {
    this.#options = options;
  }

  /** The object, when it has been seen. */
  get(key: ObjectKey): KubeObject | undefined {
    const [, namespace, name] = key.split("/");
    return this.#followed.get(key)?.informer.view.get(`${namespace}/${name}`);
  }

  /** How many are followed. */
  get size(): number {
    return this.#followed.size;
  }

  /** Follows what somebody wants now, and in a while no more what nobody wants. */
  look(key: ObjectKey): void {
    const [wanted] = this.#options.wantedBy(key);
    const followed = this.#followed.get(key);
    if (wanted !== undefined) {
      followed?.linger?.[Symbol.dispose]();
      if (followed) delete followed.linger;
      else this.#follow(key);
    } else if (followed && !followed.linger) {
      followed.linger = this.#options.clock.timer(LINGER, () => this.#drop(key));
    }
  }

  /** Ends all of it. */
  stop(): void {
    for (const key of [...this.#followed.keys()]) this.#drop(key);
  }

  #follow(key: ObjectKey): void {
    const [plural = "", namespace = "", name = ""] = key.split("/");
    const resource = findResource(plural);
    if (!resource) return;
    const { storeOf, wantedBy, changed, log } = this.#options;
    const stop = new AbortController();
    const informer = new Informer({
      ...this.#options,
      resource,
      selection: { namespace, fieldSelector: `metadata.name=${name}` },
      store: {
        watch: (what, options) => {
          // Each time anew: whoever wanted it first may be gone.
          const [node] = wantedBy(key);
          if (node === undefined) throw new Error(`nobody wants ${key} now`);
          return storeOf(node).watch(what, options);
        },
      },
    });
    informer.handle({
      added: (object) => changed(resource, object, undefined),
      updated: (object, previous) => changed(resource, object, previous),
      deleted: (object) => changed(resource, undefined, object),
    });
    this.#followed.set(key, { informer, stop });
    informer.run(stop.signal).catch((error) => {
      log.error("object is not followed any more", { key, error: errorText(error) });
      if (this.#followed.get(key)?.informer === informer) this.#drop(key);
    });
  }

  #drop(key: ObjectKey): void {
    const followed = this.#followed.get(key);
    followed?.linger?.[Symbol.dispose]();
    followed?.stop.abort(new Error("nobody wants it"));
    this.#followed.delete(key);
  }
}
