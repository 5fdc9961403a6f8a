import type { Clock, Logger, Random } from "../base/mod.ts";
import {
  type EndpointSlice,
  groupResource,
  type KubeObject,
  type Node,
  type Pod,
  type ResourceDef,
  RESOURCES,
  type Service,
  VOLUME_RESOURCES,
  type WasmFunction,
} from "../api/mod.ts";
import type { View, Views } from "../control/mod.ts";
import type { Store } from "../store/mod.ts";
import { absenceCounts } from "./claims.ts";
import { type Audience, concernedBy } from "./concerned.ts";
import { interestOf, needsOf, serviceNamespaces } from "./interest.ts";
import { isFollowed, isInteresting, NAMED, WATCHED } from "./kinds.ts";
import { NamedObjects } from "./named_objects.ts";
import { keyOf, type ObjectKey } from "./object_key.ts";
import { overruledNode } from "./overruled.ts";

/** Options of {@linkcode HubView}. */
export interface HubViewOptions {
  /** Whoever makes them runs them. */
  readonly views: Views;
  /**
   * What a node may read. Given, the view follows Secrets, ConfigMaps and what claims lead to by name
   * with it, and the hub needs no right to them.
   * @default {Secrets and ConfigMaps are among `views`, and there are no claims}
   */
  readonly storeOf?: ((node: string) => Store) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What one node may see now, and what of it exists. Dispose it when the session ends. */
export interface NodeView extends Disposable {
  readonly node: string;
  /** Whether the node may see this. */
  has(key: ObjectKey): boolean;
  /** The object, when the node may see it and it exists. */
  object(key: ObjectKey): KubeObject | undefined;
  /** The keys of all that the node may see, whether it exists or not. */
  keys(): Iterable<ObjectKey>;
  /** Whether it, or what it names, is still being looked up: nobody knows what of it exists. */
  awaits(key: ObjectKey): boolean;
  /**
   * Whether it is evidence when the view lacks it: it has been looked for, and so has been all that
   * could lead to it. Of kinds that are not on the way to a volume the store is to be asked.
   */
  knows(key: ObjectKey): boolean;
}

/** Who hears of changes; told synchronously. */
export interface ViewListener {
  /** Keys to look at again. */
  changed(keys: readonly ObjectKey[]): void;
  /**
   * What only the node can say has changed, by its own word if that made this version of the object;
   * else it must tell again. See `overruledNode`.
   */
  overruled(key: ObjectKey, version: string | undefined): void;
}

const { persistentvolumeclaims: CLAIMS, persistentvolumes: VOLUMES } = VOLUME_RESOURCES;

/**
 * What each node may see of the cluster: an index from objects to the nodes that see them, so that
 * a change costs only the nodes that it concerns. Dispose it when it is not needed any more.
 */
export class HubView implements Disposable {
  readonly #views = new Map<string, View>();
  readonly #subscriptions = new DisposableStack();
  readonly #named: NamedObjects | undefined;
  readonly #attached = new Map<string, Set<AttachedNode>>();
  readonly #watchers = new Map<ObjectKey, Set<AttachedNode>>();
  /** Nodes by the namespaces whose Services their pods are told of. */
  readonly #byNamespace = new Map<string, Set<AttachedNode>>();
  readonly #stale = new Set<AttachedNode>();
  readonly #audience: Audience = {
    all: () => this.#attached.keys(),
    watching: (key) => namesOf(this.#watchers.get(key)),
    ofNamespace: (namespace) => namesOf(this.#byNamespace.get(namespace)),
  };

  constructor(options: HubViewOptions) {
    const { storeOf, views } = options;
    this.#named = storeOf && new NamedObjects({
      ...options,
      storeOf,
      wantedBy: (key) => namesOf(this.#watchers.get(key)),
      changed: (resource, object, previous) => this.#changed(resource, object, previous),
      settled: (key) => this.#tell(key),
    });
    for (const resource of [...WATCHED, ...(storeOf ? [] : NAMED)]) {
      const view = views.of(resource);
      this.#views.set(groupResource(resource), view);
      this.#subscriptions.use(
        view.subscribe(({ object, before }) => this.#changed(resource, object, before)),
      );
    }
  }

  [Symbol.dispose](): void {
    this.#subscriptions[Symbol.dispose]();
    this.#named?.stop();
  }

  /** Resolves when all of it is complete: before that no absence means anything. */
  get synced(): Promise<void> {
    return Promise.all([...this.#views.values()].map(({ synced }) => synced)).then(() => {});
  }

  /** The object, whoever may see it. */
  get(key: ObjectKey): KubeObject | undefined {
    if (this.#named && isFollowed(key)) return this.#named.get(key);
    const [resource = "", namespace, name = ""] = key.split("/");
    return this.#views.get(resource)?.get(namespace ? `${namespace}/${name}` : name);
  }

  /** Whether an object, or what it names, is still being looked up. @internal */
  awaits(key: ObjectKey): boolean {
    const named = this.#named;
    return named !== undefined && needsOf(key, this.get(key)).some((one) => named.awaits(one));
  }

  /** Whether it is evidence that a node that sees `interest` lacks an object. @internal */
  knows(key: ObjectKey, interest: ReadonlySet<ObjectKey>): boolean {
    const named = this.#named;
    return !named || absenceCounts(key, interest, (one) => named.knows(one));
  }

  /** How many objects are followed by name. */
  get followed(): number {
    return this.#named?.size ?? 0;
  }

  /** Opens the view of a node. */
  attach(node: string, listener: ViewListener): NodeView {
    const attached = new AttachedNode(this, node, listener);
    const others = this.#attached.get(node) ?? new Set();
    this.#attached.set(node, others.add(attached));
    this.refresh(attached);
    return attached;
  }

  /** @internal */
  detach(attached: AttachedNode): void {
    const others = this.#attached.get(attached.node);
    others?.delete(attached);
    if (others?.size === 0) this.#attached.delete(attached.node);
    this.#stale.delete(attached);
    for (const key of attached.interest) removeFrom(this.#watchers, key, attached);
    this.#lookAt(attached.interest);
    for (const one of attached.namespaces) removeFrom(this.#byNamespace, one, attached);
  }

  /** Works out what the node may see, tells it what entered and what left. @internal */
  refresh(attached: AttachedNode): void {
    this.#stale.delete(attached);
    const before = attached.interest;
    const after = interestOf(attached.node, {
      node: (name) => this.#view<Node>(RESOURCES.nodes).get(name),
      podsOf: (name) => this.#podsOf(name),
      functions: () => this.#view<WasmFunction>(RESOURCES.wasmfunctions).all(),
      servicesOf: (namespace) => this.#view<Service>(RESOURCES.services).by("namespace", namespace),
      slicesOf: (namespace) => this.#slicesOf(namespace),
      claim: (namespace, name) => this.get(keyOf(groupResource(CLAIMS), namespace, name)),
      volume: (name) => this.get(keyOf(groupResource(VOLUMES), undefined, name)),
    });
    attached.interest = after;
    const different = move(this.#watchers, attached, { before, after });
    this.#lookAt(different);
    const namespaces = serviceNamespaces(this.#podsOf(attached.node));
    move(this.#byNamespace, attached, { before: attached.namespaces, after: namespaces });
    attached.namespaces = namespaces;
    if (different.length > 0) attached.listener.changed(different);
  }

  /** Whether the interest of the node has to be worked out first. @internal */
  isStale(attached: AttachedNode): boolean {
    return this.#stale.has(attached);
  }

  #lookAt(keys: Iterable<ObjectKey>): void {
    if (!this.#named) return;
    for (const key of keys) if (isFollowed(key)) this.#named.look(key);
  }

  #podsOf(node: string): readonly Pod[] {
    return this.#view<Pod>(RESOURCES.pods).by("node", node);
  }

  #slicesOf(namespace: string): EndpointSlice[] {
    return this.#view<EndpointSlice>(RESOURCES.endpointslices).by("namespace", namespace)
      .filter(isInteresting);
  }

  #view<T extends KubeObject>(resource: ResourceDef): View<T> {
    return this.#views.get(groupResource(resource)) as unknown as View<T>;
  }

  #changed(
    resource: ResourceDef,
    object: KubeObject | undefined,
    previous: KubeObject | undefined,
  ): void {
    const concerned = concernedBy({ resource, object, previous }, this.#audience);
    for (const node of concerned) this.#markStale(node);
    const { namespace, name } = (object ?? previous)?.metadata ?? { name: "" };
    const key = keyOf(groupResource(resource), namespace, name);
    this.#tell(key);
    // Most pods of a cluster may be of nodes that have no link here: their status is not compared.
    if (!this.#attached.has((object ?? previous)?.["spec"]?.nodeName)) return;
    const { node, version } = overruledNode(resource, object, previous) ?? { node: "" };
    for (const { listener } of this.#attached.get(node) ?? []) listener.overruled(key, version);
  }

  #tell(key: ObjectKey): void {
    for (const attached of this.#watchers.get(key) ?? []) attached.listener.changed([key]);
  }

  /** Many changes in one turn (a deployment, a namespace) cost one computation. */
  #markStale(node: string): void {
    for (const attached of this.#attached.get(node) ?? []) {
      if (this.#stale.size === 0) {
        queueMicrotask(() => {
          for (const stale of [...this.#stale]) this.refresh(stale);
        });
      }
      this.#stale.add(attached);
    }
  }
}

class AttachedNode implements NodeView {
  readonly node: string;
  readonly listener: ViewListener;
  readonly #view: HubView;
  interest: ReadonlySet<ObjectKey> = new Set();
  namespaces: ReadonlySet<string> = new Set();

  constructor(view: HubView, node: string, listener: ViewListener) {
    this.#view = view;
    this.node = node;
    this.listener = listener;
  }

  has(key: ObjectKey): boolean {
    if (this.#view.isStale(this)) this.#view.refresh(this);
    return this.interest.has(key);
  }

  object(key: ObjectKey): KubeObject | undefined {
    return this.has(key) ? this.#view.get(key) : undefined;
  }

  keys(): Iterable<ObjectKey> {
    if (this.#view.isStale(this)) this.#view.refresh(this);
    return this.interest;
  }

  awaits(key: ObjectKey): boolean {
    return this.has(key) && this.#view.awaits(key);
  }

  knows(key: ObjectKey): boolean {
    if (this.#view.isStale(this)) this.#view.refresh(this);
    return this.#view.knows(key, this.interest);
  }

  [Symbol.dispose](): void {
    this.#view.detach(this);
  }
}

function namesOf(nodes: ReadonlySet<AttachedNode> = new Set()): string[] {
  return [...nodes].map(({ node }) => node);
}

/** Takes `node` off what it left and puts it on what it entered; both are returned. */
function move<T>(
  index: Map<string, Set<T>>,
  node: T,
  { before, after }: { before: ReadonlySet<string>; after: ReadonlySet<string> },
): string[] {
  const left = [...before].filter((key) => !after.has(key));
  for (const key of left) removeFrom(index, key, node);
  const entered = [...after].filter((key) => !before.has(key));
  for (const key of entered) index.set(key, (index.get(key) ?? new Set()).add(node));
  return [...left, ...entered];
}

function removeFrom<T>(index: Map<string, Set<T>>, key: string, node: T): void {
  const nodes = index.get(key);
  nodes?.delete(node);
  if (nodes?.size === 0) index.delete(key);
}
