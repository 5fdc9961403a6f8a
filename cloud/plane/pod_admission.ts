import {
  type KubeObject,
  type ObjectRef,
  type Pod,
  type PriorityClass,
  type ResourceDef,
  RESOURCES,
  type RuntimeClass,
  type Toleration,
} from "../../core/api/mod.ts";
import { autonomousTolerations, groupsIn } from "../admission/mod.ts";
import { AppError, isAppError } from "../../core/base/mod.ts";
import {
  type DeleteOptions,
  findObject,
  type ListOptions,
  type ListResult,
  type Store,
  type UpdateOptions,
  type Watch,
  type WatchOptions,
  type WriteOptions,
} from "../../core/store/mod.ts";

const SYSTEM = { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass" } as const;

/** The classes that every cluster has, and that nobody may make or remove. */
export const SYSTEM_PRIORITY_CLASSES: readonly PriorityClass[] = [
  {
    ...SYSTEM,
    metadata: { name: "system-node-critical" },
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
    preemptionPolicy: "PreemptLowerPriority",
  },
  {
    ...SYSTEM,
    metadata: { name: "system-cluster-critical" },
    value: 2_000_000_000,
    description: "Used for system critical pods that must run in the cluster, but can be moved " +
      "to another node if necessary.",
    preemptionPolicy: "PreemptLowerPriority",
  },
];

/** Makes sure that {@linkcode SYSTEM_PRIORITY_CLASSES} exist. */
export async function ensurePriorityClasses(store: Store): Promise<void> {
  for (const object of SYSTEM_PRIORITY_CLASSES) {
    try {
      await store.create(RESOURCES.priorityclasses, structuredClone(object));
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
    }
  }
}

/**
 * A store that puts into new pods what their PriorityClass and RuntimeClass say, whoever makes them:
 * a client or a controller. Kubernetes' admission plug-ins `Priority` and `RuntimeClass`, and
 * KubeEdge's autonomy.
 */
export class PodAdmission implements Store {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async create(
    resource: ResourceDef,
    object: KubeObject,
    options?: WriteOptions,
  ): Promise<KubeObject> {
    if (resource !== RESOURCES.pods) return await this.#store.create(resource, object, options);
    const pod = structuredClone(object) as Pod;
    await this.#prioritise(pod);
    await this.#applyRuntimeClass(pod);
    const tolerations = await autonomousTolerations(pod, groupsIn(this.#store));
    if (tolerations) pod.spec.tolerations = tolerations;
    return await this.#store.create(resource, pod, options);
  }

  get(ref: ObjectRef): Promise<KubeObject> {
    return this.#store.get(ref);
  }

  list(resource: ResourceDef, options?: ListOptions): Promise<ListResult> {
    return this.#store.list(resource, options);
  }

  update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options?: UpdateOptions,
  ): Promise<KubeObject> {
    return this.#store.update(ref, change, options);
  }

  delete(ref: ObjectRef, options?: DeleteOptions): Promise<KubeObject> {
    return this.#store.delete(ref, options);
  }

  watch(resource: ResourceDef, options?: WatchOptions): Promise<Watch> {
    return this.#store.watch(resource, options);
  }

  epoch(): Promise<string> {
    return this.#store.epoch();
  }

  async #prioritise(pod: Pod): Promise<void> {
    const found = await this.#priorityClass(pod);
    const { value = 0, preemptionPolicy = "PreemptLowerPriority" } = found ?? {};
    const { priority } = pod.spec;
    if (typeof priority === "number" && priority !== value) {
      throw forbidden(
        pod,
        `the integer value of priority (${priority}) must not be provided in pod spec; priority ` +
          `admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    if (found) pod.spec.priorityClassName = found.metadata.name;
    pod.spec.priority = value;
    pod.spec.preemptionPolicy ??= preemptionPolicy;
  }

  /** The class that a pod names, else the one that is for all; of several, the least. */
  async #priorityClass(pod: Pod): Promise<PriorityClass | undefined> {
    const resource = RESOURCES.priorityclasses;
    const name: unknown = pod.spec.priorityClassName;
    if (typeof name === "string" && name !== "") {
      const own = SYSTEM_PRIORITY_CLASSES.find(({ metadata }) => metadata.name === name);
      const found = own ?? await this.#find<PriorityClass>({ resource, name });
      if (found) return found;
      throw forbidden(pod, `no PriorityClass with name ${name} was found`);
    }
    const { items } = await this.#store.list(resource);
    return (items as PriorityClass[]).filter(({ globalDefault }) => globalDefault === true)
      .sort((a, b) => a.value - b.value)[0];
  }

  async #applyRuntimeClass(pod: Pod): Promise<void> {
    const name: unknown = pod.spec.runtimeClassName;
    if (typeof name !== "string" || name === "") return;
    const resource = RESOURCES.runtimeclasses;
    const found = await this.#find<RuntimeClass>({ resource, name });
    if (!found) throw forbidden(pod, `pod rejected: RuntimeClass "${name}" not found`);
    if (found.overhead?.podFixed) pod.spec.overhead = { ...found.overhead.podFixed };
    const { nodeSelector = {}, tolerations = [] } = found.scheduling ?? {};
    const merged = { ...nodeSelector, ...pod.spec.nodeSelector };
    const clash = Object.entries(nodeSelector).find(([key, value]) => merged[key] !== value);
    if (clash) {
      throw forbidden(
        pod,
        `conflict: runtimeClass.scheduling.nodeSelector[${clash[0]}] = ${clash[1]}; ` +
          `pod.spec.nodeSelector[${clash[0]}] = ${merged[clash[0]]}`,
      );
    }
    if (Object.keys(merged).length > 0) pod.spec.nodeSelector = merged;
    const more = tolerations.filter((one) => !includes(pod.spec.tolerations, one));
    if (more.length > 0) pod.spec.tolerations = [...pod.spec.tolerations ?? [], ...more];
  }

  async #find<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined> {
    return await findObject(this.#store, ref) as T | undefined;
  }
}

function includes(list: readonly Toleration[] | undefined, one: Toleration): boolean {
  const text = JSON.stringify(one);
  return (list ?? []).some((other) => JSON.stringify(other) === text);
}

function forbidden(pod: Pod, why: string): AppError {
  const name = pod.metadata.name || pod.metadata.generateName || "";
  return new AppError("Forbidden", `pods "${name}" is forbidden: ${why}`);
}
