import type { Clock, Logger, Random } from "../base/mod.ts";
import {
  groupResource,
  type KubeObject,
  type Node,
  type Pod,
  type ResourceDef,
  RESOURCES,
  type Service,
  type WasmFunction,
} from "../api/mod.ts";
import { Informer } from "../cache/mod.ts";
import type { Store } from "../store/mod.ts";
import { NamedObjects } from "./named_objects.ts";
import { overruledNode } from "./overruled.ts";
import {
  hasClusterIP,
  interestOf,
  keyOf,
  type ObjectKey,
  podInterest,
  serviceNamespaces,
} from "./interest.ts";

/** Options of {@linkcode HubView}. */
export interface HubViewOptions {
  readonly store: Store;
  /**
   * What a node may read. Given, the view follows Secrets and ConfigMaps by name with it, and the
   * hub needs no right to them. @default {all of them are watched in `store`}
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
  /** The keys of all objects that the node may see and that exist. */
  existing(): ObjectKey[];
}

/** Who hears of changes; told synchronously. */
export interface ViewListener {
  /** Keys to look at again. */
  changed(keys: readonly ObjectKey[]): void;
  /** Somebody else wrote what only the node can say: it must tell again. See `overruledNode`. */
  overruled(): void;
}

/** Pods that are on no node yet concern nobody here. */
const BOUND = { fieldSelector: "spec.nodeName!=" };
const KINDS = [
  RESOURCES.pods,
  RESOURCES.nodes,
  RESOURCES.wasmfunctions,
  RESOURCES.services,
  RESOURCES.runtimeclasses,
] as const;
/** What pods and functions name. */
const NAMED = [RESOURCES.configmaps, RESOURCES.secrets] as const;
const NAMED_PREFIXES = NAMED.map((resource) => `${groupResource(resource)}/`);

/**
 * The hub's view of the cluster for all its nodes: one watch per kind, and an index from objects to
 * the nodes that see them, so that a change costs only the nodes that it concerns.
 */
export class HubView {
  readonly #informers = new Map<string, Informer>();
  readonly #named: NamedObjects | undefined;
  readonly #podsByNode;
  readonly #attached = new Map<string, Set<AttachedNode>>();
  readonly #watchers = new Map<ObjectKey, Set<AttachedNode>>();
  /** Nodes by the namespaces whose Services their pods are told of. */
  readonly #byNamespace = new Map<string, Set<AttachedNode>>();
  readonly #servicesByNamespace;
  readonly #stale = new Set<AttachedNode>();

  constructor(options: HubViewOptions) {
    const { storeOf } = options;
    this.#named = storeOf && new NamedObjects({
      ...options,
      storeOf,
      wantedBy: (key) => [...this.#watchers.get(key) ?? []].map(({ node }) => node),
      changed: (resource, object, previous) => this.#changed(resource, object, previous),
    });
    for (const resource of [...KINDS, ...(storeOf ? [] : NAMED)]) {
      const selection = resource === RESOURCES.pods ? BOUND : {};
      const informer = new Informer({ ...options, resource, selection });
      this.#informers.set(groupResource(resource), informer);
      informer.handle({
        added: (object) => this.#changed(resource, object, undefined),
        updated: (object, previous) => this.#changed(resource, object, previous),
        deleted: (object) => this.#changed(resource, undefined, object),
      });
    }
    this.#podsByNode = this.#informer<Pod>("pods").index(({ spec }) =>
      typeof spec?.nodeName === "string" ? [spec.nodeName] : []
    );
    this.#servicesByNamespace = this.#informer<Service>("services").index(({ metadata }) => [
      metadata.namespace ?? "",
    ]);
  }

  /** Keeps the view up to date until `signal` aborts. @throws what cannot be healed by trying again */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([...this.#informers.values()].map((informer) => informer.run(signal)));
    } finally {
      this.#named?.stop();
    }
  }

  /** Resolves when all of it has been complete once: before that no absence means anything. */
  get synced(): Promise<void> {
    return Promise.all([...this.#informers.values()].map(({ synced }) => synced)).then(() => {});
  }

  /** The object, whoever may see it. */
  get(key: ObjectKey): KubeObject | undefined {
    if (this.#named && isNamed(key)) return this.#named.get(key);
    const [resource = "", namespace, name = ""] = key.split("/");
    return this.#informers.get(resource)?.view.get(namespace ? `${namespace}/${name}` : name);
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
      node: (name) => this.#informer<Node>("nodes").view.get(name),
      podsOf: (name) => this.#podsByNode.get(name),
      functions: () => this.#informer<WasmFunction>("wasmfunctions.skerry.dev").view.list(),
      servicesOf: (namespace) => this.#servicesByNamespace.get(namespace),
    });
    attached.interest = after;
    const different = move(this.#watchers, attached, { before, after });
    this.#lookAt(different);
    const namespaces = serviceNamespaces(this.#podsByNode.get(attached.node));
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
    for (const key of keys) if (isNamed(key)) this.#named.look(key);
  }

  #informer<T extends KubeObject>(resource: string): Informer<T> {
    return this.#informers.get(resource) as unknown as Informer<T>;
  }

  #changed(
    resource: ResourceDef,
    object: KubeObject | undefined,
    previous: KubeObject | undefined,
  ): void {
    for (const node of this.#concerned(resource, object, previous)) this.#markStale(node);
    const { namespace, name } = (object ?? previous)?.metadata ?? { name: "" };
    const key = keyOf(groupResource(resource), namespace, name);
    for (const attached of this.#watchers.get(key) ?? []) attached.listener.changed([key]);
    const overruled = overruledNode(resource, object, previous);
    for (const attached of this.#attached.get(overruled ?? "") ?? []) attached.listener.overruled();
  }

  /** The nodes whose interest this change may alter. */
  #concerned(
    resource: ResourceDef,
    object: KubeObject | undefined,
    previous: KubeObject | undefined,
  ): Iterable<string> {
    const change = [previous, object].filter((side) => side !== undefined);
    if (resource === RESOURCES.pods) {
      const [before, after] = [previous, object] as (Pod | undefined)[];
      if (before && after && samePod(before, after)) return [];
      return change.map(({ spec }) => spec?.nodeName).filter((name) => typeof name === "string");
    }
    if (resource === RESOURCES.nodes) {
      const [before, after] = [previous, object].map((side) => same(side?.metadata.labels));
      return before === after ? [] : change.slice(0, 1).map(({ metadata }) => metadata.name);
    }
    if (resource === RESOURCES.wasmfunctions) {
      const [before, after] = [previous, object].map((side) => same(side?.["spec"]));
      return before === after ? [] : this.#attached.keys();
    }
    if (resource === RESOURCES.services) {
      const [before, after] = [previous, object].map((side) => side && hasClusterIP(side));
      const nodes = this.#byNamespace.get(change[0]?.metadata.namespace ?? "") ?? [];
      return before === after ? [] : [...nodes].map(({ node }) => node);
    }
    return [];
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

  existing(): ObjectKey[] {
    if (this.#view.isStale(this)) this.#view.refresh(this);
    return [...this.interest].filter((key) => this.#view.get(key) !== undefined);
  }

  [Symbol.dispose](): void {
    this.#view.detach(this);
  }
}

function isNamed(key: ObjectKey): boolean {
  return NAMED_PREFIXES.some((prefix) => key.startsWith(prefix));
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

function samePod(before: Pod, after: Pod): boolean {
  return before.metadata.uid === after.metadata.uid &&
    before.spec?.nodeName === after.spec?.nodeName &&
    same(podInterest(before)) === same(podInterest(after));
}

function same(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
