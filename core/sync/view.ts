import type { Clock, Logger, Random } from "../base/mod.ts";
import {
  groupResource,
  type KubeObject,
  type Node,
  type Pod,
  type ResourceDef,
  RESOURCES,
  type WasmFunction,
} from "../api/mod.ts";
import { Informer } from "../cache/mod.ts";
import type { Store } from "../store/mod.ts";
import { interestOf, keyOf, type ObjectKey, podInterest } from "./interest.ts";

/** Options of {@linkcode HubView}. */
export interface HubViewOptions {
  readonly store: Store;
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

const KINDS = [
  RESOURCES.pods,
  RESOURCES.configmaps,
  RESOURCES.secrets,
  RESOURCES.nodes,
  RESOURCES.wasmfunctions,
] as const;

/**
 * The hub's view of the cluster for all its nodes: one watch per kind, and an index from objects to
 * the nodes that see them, so that a change costs only the nodes that it concerns.
 */
export class HubView {
  readonly #informers = new Map<string, Informer>();
  readonly #podsByNode;
  readonly #attached = new Map<string, Set<AttachedNode>>();
  readonly #watchers = new Map<ObjectKey, Set<AttachedNode>>();
  readonly #stale = new Set<AttachedNode>();

  constructor(options: HubViewOptions) {
    for (const resource of KINDS) {
      const informer = new Informer({ ...options, resource });
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
  }

  /** Keeps the view up to date until `signal` aborts. @throws what cannot be healed by trying again */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.run(signal)));
  }

  /** Resolves when all of it has been complete once: before that no absence means anything. */
  get synced(): Promise<void> {
    return Promise.all([...this.#informers.values()].map(({ synced }) => synced)).then(() => {});
  }

  /** The object, whoever may see it. */
  get(key: ObjectKey): KubeObject | undefined {
    const [resource = "", namespace, name = ""] = key.split("/");
    return this.#informers.get(resource)?.view.get(namespace ? `${namespace}/${name}` : name);
  }

  /** Opens the view of a node; `changed` is told (synchronously) of keys to look at again. */
  attach(node: string, changed: (keys: readonly ObjectKey[]) => void): NodeView {
    const attached = new AttachedNode(this, node, changed);
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
    for (const key of attached.interest) this.#unwatch(key, attached);
  }

  /** Works out what the node may see, tells it what entered and what left. @internal */
  refresh(attached: AttachedNode): void {
    this.#stale.delete(attached);
    const before = attached.interest;
    const after = interestOf(attached.node, {
      node: (name) => this.#informer<Node>("nodes").view.get(name),
      podsOf: (name) => this.#podsByNode.get(name),
      functions: () => this.#informer<WasmFunction>("wasmfunctions.skerry.dev").view.list(),
    });
    attached.interest = after;
    const different: ObjectKey[] = [];
    for (const key of before) {
      if (after.has(key)) continue;
      this.#unwatch(key, attached);
      different.push(key);
    }
    for (const key of after) {
      if (before.has(key)) continue;
      const watchers = this.#watchers.get(key) ?? new Set();
      this.#watchers.set(key, watchers.add(attached));
      different.push(key);
    }
    if (different.length > 0) attached.changed(different);
  }

  /** Whether the interest of the node has to be worked out first. @internal */
  isStale(attached: AttachedNode): boolean {
    return this.#stale.has(attached);
  }

  #unwatch(key: ObjectKey, attached: AttachedNode): void {
    const watchers = this.#watchers.get(key);
    watchers?.delete(attached);
    if (watchers?.size === 0) this.#watchers.delete(key);
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
    for (const attached of this.#watchers.get(key) ?? []) attached.changed([key]);
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
  readonly changed: (keys: readonly ObjectKey[]) => void;
  readonly #view: HubView;
  interest: ReadonlySet<ObjectKey> = new Set();

  constructor(view: HubView, node: string, changed: (keys: readonly ObjectKey[]) => void) {
    this.#view = view;
    this.node = node;
    this.changed = changed;
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

function samePod(before: Pod, after: Pod): boolean {
  return before.metadata.uid === after.metadata.uid &&
    before.spec?.nodeName === after.spec?.nodeName &&
    same(podInterest(before)) === same(podInterest(after));
}

function same(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
