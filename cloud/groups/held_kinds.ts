import {
  apiVersionOf,
  groupResource,
  type KubeObject,
  RESOURCE_LIST,
  type ResourceDef,
  resourceOfKind,
  splitApiVersion,
} from "../../core/api/mod.ts";
import { errorText, isAppError, untilAborted } from "../../core/base/mod.ts";
import type { Change, View, Watched } from "../../core/control/mod.ts";
import type { GroupsContext } from "./context.ts";
import type { Problem } from "./render.ts";

/** What no application may hold: written by others all the time, or applications themselves. */
const NEVER = new Set([
  "events",
  "events.events.k8s.io",
  "leases.coordination.k8s.io",
  "endpointslices.discovery.k8s.io",
  "edgeapplications.apps.kubeedge.io",
]);

/** Whether an application may hold objects of a kind. */
export function isHeldByApplications(resource: ResourceDef): boolean {
  return resource.namespaced && !NEVER.has(groupResource(resource));
}

type Listener = (change: Change<KubeObject>) => void;

/**
 * The kinds of which applications hold objects, each with a view: Skerry's own from the start, others
 * that the API server knows as soon as an application names them, and until they are served no more.
 * It tells of all their objects.
 *
 * A kind is watched in one version, that which the API server prefers, whatever versions applications
 * name: what one application may hold does not hang on which other came first. `Children` reads and
 * writes in the version that is named.
 */
export class HeldKinds implements Watched {
  readonly #context: GroupsContext;
  readonly #views = new Map<string, View>();
  readonly #listeners = new Set<Listener>();
  readonly #complete = new WeakSet<View>();
  readonly #own: readonly View[];

  constructor(context: GroupsContext) {
    this.#context = context;
    this.#own = RESOURCE_LIST.filter(isHeldByApplications).map((one) => this.#add(one));
  }

  /** Of Skerry's own kinds, in the present run of the views: a hub may lead more than once. */
  get synced(): Promise<unknown> {
    return Promise.all(this.#own.map((view) => view.synced));
  }

  /** The view of a kind that was found. */
  view(resource: ResourceDef): View | undefined {
    return this.#views.get(groupResource(resource));
  }

  /** All views. */
  views(): View[] {
    return [...this.#views.values()];
  }

  all(): KubeObject[] {
    return this.views().flatMap((view) => view.all());
  }

  subscribe(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * The resource of a kind in the version that is named, when applications may hold such objects and
   * this hub may read them. The kind's view is complete then. Never throws but when `signal` aborts:
   * one manifest stops no other.
   */
  async find(
    apiVersion: string,
    kind: string,
    signal: AbortSignal,
  ): Promise<ResourceDef | Problem> {
    try {
      const named = await this.#find(apiVersion, kind);
      if (!named) return notServed(await this.#otherwise(apiVersion, kind));
      if (!isHeldByApplications(named)) return notServed(cannotBePart(apiVersion, kind));
      const view = this.view(named) ?? await this.#watch(await this.#prefer(named) ?? named);
      await this.#whenComplete(view, signal);
      return this.view(named) === view
        ? named
        : notServed(`${kind} of ${apiVersion} is served no more`);
    } catch (error) {
      return problemOf(error, signal);
    }
  }

  /**
   * Watches a kind of which there may be objects, in whatever version they were made: that version
   * may be served no more. Returns why they cannot be seen, when they cannot. Never throws but when
   * `signal` aborts.
   */
  async hold(
    apiVersion: string,
    kind: string,
    signal: AbortSignal,
  ): Promise<Problem | undefined> {
    try {
      const { group } = splitApiVersion(apiVersion);
      let view = this.views().find(({ resource }) =>
        resource.kind === kind && resource.group === group
      );
      if (!view) {
        const resource = await this.#prefer({ group, kind });
        if (!resource || !isHeldByApplications(resource)) return undefined;
        view = await this.#watch(resource);
      }
      await this.#whenComplete(view, signal);
      return undefined;
    } catch (error) {
      return problemOf(error, signal);
    }
  }

  /** Says what is missing where this hub has no right to the kind; a watch would try for ever. */
  async #watch(resource: ResourceDef): Promise<View> {
    await this.#context.store.list(resource, { limit: 1 });
    return this.view(resource) ?? this.#add(resource);
  }

  async #whenComplete(view: View, signal: AbortSignal): Promise<void> {
    if (this.#complete.has(view)) return;
    await Promise.race([view.synced, untilAborted(signal)]);
    signal.throwIfAborted();
    this.#complete.add(view);
  }

  async #find(apiVersion: string, kind: string): Promise<ResourceDef | undefined> {
    const own = resourceOfKind(apiVersion, kind);
    if (own && apiVersionOf(own) === apiVersion) return own;
    return await this.#context.kinds?.find(apiVersion, kind);
  }

  /** Skerry's own kinds are watched in the version that all of it knows. */
  async #prefer(
    { group, kind }: Pick<ResourceDef, "group" | "kind">,
  ): Promise<ResourceDef | undefined> {
    return resourceOfKind(`${group}/`, kind) ?? await this.#context.kinds?.prefer(group, kind);
  }

  /** Why a kind cannot be held in a version in which it is not served. */
  async #otherwise(apiVersion: string, kind: string): Promise<string> {
    const other = await this.#prefer({ ...splitApiVersion(apiVersion), kind });
    if (!other || !isHeldByApplications(other)) return cannotBePart(apiVersion, kind);
    return `${kind} is not served in ${apiVersion}, but in ${apiVersionOf(other)}: name that`;
  }

  #add(resource: ResourceDef): View {
    const own = resourceOfKind(apiVersionOf(resource), resource.kind) !== undefined;
    const gone = (signal: AbortSignal): Promise<boolean> => this.#isGone(resource, signal);
    const view = this.#context.views.of(resource, own ? {} : { gone });
    this.#views.set(groupResource(resource), view);
    view.subscribe((change) => {
      for (const listener of [...this.#listeners]) listener(change);
    });
    return view;
  }

  /** Lets go of a kind that is served no more: an application that names it looks for it anew. */
  async #isGone(resource: ResourceDef, signal: AbortSignal): Promise<boolean> {
    try {
      if (!await this.#context.isKindGone?.(resource, signal)) return false;
    } catch {
      // Nobody knows; the watch is tried again.
      return false;
    }
    this.#views.delete(groupResource(resource));
    this.#context.views.forget(resource);
    return true;
  }
}

function cannotBePart(apiVersion: string, kind: string): string {
  return `${kind} of ${apiVersion} cannot be part of an application here`;
}

function notServed(message: string): Problem {
  return { reason: "KindNotServed", message };
}

/** @throws the reason of `signal` */
function problemOf(error: unknown, signal: AbortSignal): Problem {
  signal.throwIfAborted();
  const reason = isAppError(error, "Forbidden") ? "Refused" : "KindNotServed";
  return { reason, message: errorText(error) };
}
