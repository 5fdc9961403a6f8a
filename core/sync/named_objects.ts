import { type Clock, errorText, type Logger, type Random, seconds, Slots } from "../base/mod.ts";
import { findResource, type KubeObject, type ObjectRef, type ResourceDef } from "../api/mod.ts";
import { Informer, objectKey } from "../cache/mod.ts";
import type { Store, Watch, WatchOptions } from "../store/mod.ts";
import { leadsToVolume } from "./claims.ts";
import type { ObjectKey } from "./object_key.ts";
import { PolledWatch } from "./polled_watch.ts";

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
  /** Told when {@linkcode NamedObjects.awaits} ends, and when {@linkcode NamedObjects.knows} begins. */
  readonly settled: (key: ObjectKey) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** An object that nobody wants is followed so much longer: sessions end and begin, pods are replaced. */
const LINGER = seconds(30);
/**
 * What cannot be read so long is thought of as absent. Kubernetes refuses a node what its newest pod
 * names until its authorizer has seen that pod, so a refusal at first says nothing.
 */
const LOOK_UP = seconds(5);

/** Volumes are read again and again; Leases and reports must not wait behind all of them. */
const READS_AT_ONCE = 8;

interface Followed {
  /** Its key in the view of its informer. */
  readonly viewKey: string;
  readonly informer: Informer;
  readonly stop: AbortController;
  /** Runs until it has been seen, or seen to be absent. */
  lookUp?: Disposable;
  linger?: Disposable;
}

/**
 * Objects that are followed one by one, by name, each by the store of a node that wants it: a hub
 * that may read no Secret itself cannot give one away by mistake. As a kubelet does it, but once for
 * all nodes. Secrets and ConfigMaps are watched; what claims lead to may only be read, again and again.
 */
export class NamedObjects {
  readonly #options: NamedObjectsOptions;
  readonly #followed = new Map<ObjectKey, Followed>();
  readonly #reads = new Slots(READS_AT_ONCE);

  constructor(options: NamedObjectsOptions) {
    this.#options = options;
  }

  /** The object, when it has been seen. */
  get(key: ObjectKey): KubeObject | undefined {
    const followed = this.#followed.get(key);
    return followed?.informer.view.get(followed.viewKey);
  }

  /** Whether it is known if the object exists. */
  knows(key: ObjectKey): boolean {
    return this.#followed.get(key)?.informer.hasSynced ?? false;
  }

  /**
   * Whether it is followed and nobody knows yet whether it exists. At most 5 s: who waits for it must
   * not wait for a right that is missing or a server that does not answer.
   */
  awaits(key: ObjectKey): boolean {
    return this.#followed.get(key)?.lookUp !== undefined;
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
    const { changed, log } = this.#options;
    const stop = new AbortController();
    const where = namespace ? { namespace } : {};
    const ref = { resource, ...where, name };
    const informer: Informer = new Informer({
      ...this.#options,
      resource,
      selection: { ...where, fieldSelector: `metadata.name=${name}` },
      store: {
        watch: (_, options) =>
          leadsToVolume(key)
            ? Promise.resolve(this.#poll(key, ref, options?.resourceVersion))
            : this.#watch(key, ref, options),
      },
    });
    informer.handle({
      added: (object) => changed(resource, object, undefined),
      updated: (object, previous) => changed(resource, object, previous),
      deleted: (object) => changed(resource, undefined, object),
    });
    const settle = (): void => this.#settle(key, informer);
    const lookUp = this.#options.clock.timer(LOOK_UP, settle);
    const viewKey = objectKey({ metadata: { ...where, name } });
    this.#followed.set(key, { viewKey, informer, stop, lookUp });
    // When it ends before, it is dropped.
    informer.synced.then(settle, () => {});
    informer.run(stop.signal).catch((error) => {
      log.error("object is not followed any more", { key, error: errorText(error) });
      if (this.#followed.get(key)?.informer !== informer) return;
      this.#settle(key, informer);
      this.#drop(key);
    });
  }

  #watch(key: ObjectKey, { resource }: ObjectRef, options?: WatchOptions): Promise<Watch> {
    const store = this.#storeFor(key);
    if (!store) throw new Error(`nobody wants ${key} now`);
    return store.watch(resource, options);
  }

  /** @param from absent: the reader is to be told all */
  #poll(key: ObjectKey, ref: ObjectRef, from: string | undefined): PolledWatch {
    return new PolledWatch({
      ...this.#options,
      read: async (signal) => {
        using _slot = await this.#reads.take(signal);
        return await this.#storeFor(key)?.get(ref);
      },
      known: from === undefined ? undefined : this.get(key),
    });
  }

  /** Each time anew: whoever wanted it first may be gone. */
  #storeFor(key: ObjectKey): Store | undefined {
    const [node] = this.#options.wantedBy(key);
    return node === undefined ? undefined : this.#options.storeOf(node);
  }

  #settle(key: ObjectKey, informer: Informer): void {
    const followed = this.#followed.get(key);
    if (followed?.informer !== informer) return;
    followed.lookUp?.[Symbol.dispose]();
    delete followed.lookUp;
    this.#options.settled(key);
  }

  #drop(key: ObjectKey): void {
    const followed = this.#followed.get(key);
    followed?.linger?.[Symbol.dispose]();
    followed?.lookUp?.[Symbol.dispose]();
    followed?.stop.abort(new Error("nobody wants it"));
    this.#followed.delete(key);
  }
}
