import { groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import {
  type Clock,
  linkSignals,
  type Logger,
  ms,
  type Random,
  seconds,
  type Service,
  untilAborted,
} from "../base/mod.ts";
import { Informer, type InformerOptions } from "../cache/mod.ts";
import type { Selection, Store } from "../store/mod.ts";
import { controllerOf } from "./keys.ts";
import { type Indexes, View } from "./view.ts";

/** Options of {@linkcode Views}. */
export interface ViewsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Narrows what is kept of a kind. @default {nothing is narrowed} */
  readonly selections?: ReadonlyMap<ResourceDef, Selection>;
  /** Views that run for others too: a kind that is among them is not watched again. @default {none} */
  readonly shared?: Views;
}

/** The indexes that every view of {@linkcode Views} has. */
export type ViewIndex = "namespace" | "node" | "owner" | "owners";

const INDEXES: Indexes<KubeObject> = {
  namespace: (object) => [object.metadata.namespace ?? ""],
  node: (object) => object.kind === "Pod" ? [object.spec?.nodeName ?? ""] : [],
  owner: (object) => {
    const owner = controllerOf(object);
    return owner ? [owner.uid] : [];
  },
  owners: (object) => object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [],
};

/** A few watches of each hub: after an outage nodes wait for the first of them, and not for long. */
const BACKOFF = { base: ms(200), cap: seconds(10) };

interface Kept {
  readonly informer: Informer;
  readonly view: View;
}

/**
 * One shared {@linkcode View} a kind, so that ten controllers cost one watch and one copy. Views that
 * are asked for while {@linkcode Views.run} runs begin at once.
 */
export class Views {
  readonly #options: ViewsOptions;
  readonly #kept = new Map<string, Kept>();
  /** Set while they run. */
  #start: ((informer: Informer) => void) | undefined;

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  /**
   * The view of a kind, with the indexes `namespace`, `node` (a pod's `spec.nodeName`, `""` when unbound), `owner` (uid of the
   * controlling owner) and `owners` (uids of all owners).
   *
   * @param options `gone` counts when it is the first that asks for the kind: see `Informer`
   */
  of<T extends KubeObject>(
    resource: ResourceDef,
    options: Pick<InformerOptions, "gone"> = {},
  ): View<T> {
    // Views are untyped inside; the caller names the kind that belongs to the resource.
    return (this.find(resource) ?? this.#make(resource, options)) as unknown as View<T>;
  }

  /** Forgets a kind that is gone: whoever asks for it again gets another view. */
  forget(resource: ResourceDef): void {
    this.#kept.delete(groupResource(resource));
  }

  /** The view of a kind when somebody has asked for it. */
  find(resource: ResourceDef): View | undefined {
    return this.#options.shared?.find(resource) ?? this.#kept.get(groupResource(resource))?.view;
  }

  /** Reads everything anew: what is known may be of a history that is no more. */
  beginAnew(): void {
    for (const { informer } of this.#kept.values()) informer.beginAnew();
  }

  /** Runs all views until `signal` aborts; ready when all are synced. @throws as `Informer.run` */
  async run(signal: AbortSignal, ready: () => void = () => {}): Promise<void> {
    const informers = [...this.#kept.values()].map(({ informer }) => informer);
    const take = (start: (informer: Informer) => void): void => void (this.#start = start);
    try {
      await runTogether(informers, { signal, ready, take });
    } finally {
      this.#start = undefined;
    }
  }

  /** {@linkcode Views.run} as a service. */
  service(name: string): Service {
    return { name, onFailure: "restart", run: (signal, ready) => this.run(signal, ready) };
  }

  #make(resource: ResourceDef, more: Pick<InformerOptions, "gone">): View {
    const selection = this.#options.selections?.get(resource) ?? {};
    const informer = new Informer({
      ...this.#options,
      ...more,
      resource,
      selection,
      backoff: BACKOFF,
    });
    const view = new View(informer, INDEXES);
    this.#kept.set(groupResource(resource), { informer, view });
    this.#start?.(informer);
    return view;
  }
}

/** What follows a store, and knows when it has caught up. */
interface Following {
  run(signal: AbortSignal): Promise<void>;
  readonly synced: Promise<void>;
}

/**
 * Runs all of `parts` until `signal` aborts or one fails; then none is left running.
 *
 * @param options `ready` is called when all are synced; `take` is given what starts more meanwhile
 */
export async function runTogether(
  parts: readonly Following[],
  { signal, ready, take = () => {} }: {
    readonly signal: AbortSignal;
    readonly ready: () => void;
    readonly take?: (start: (part: Following) => void) => void;
  },
): Promise<void> {
  const over = new AbortController();
  using either = linkSignals(signal, over.signal);
  const failed = Promise.withResolvers<never>();
  const running: Promise<void>[] = [];
  const start = (part: Following): void => {
    const done = part.run(either.signal);
    done.catch(failed.reject);
    running.push(done);
  };
  parts.forEach(start);
  take(start);
  const ended = Promise.race([untilAborted(signal), failed.promise]);
  try {
    await Promise.race([Promise.all(parts.map(({ synced }) => synced)), ended]);
    if (!signal.aborted) ready();
    await ended;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort(new Error("one of them has ended"));
    await Promise.allSettled(running);
  }
}
