import type { Pod } from "../../core/api/mod.ts";
import { podRefs } from "./refs.ts";

/** A pod's name. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** Who is who among the pods of this node: names by UID, UIDs by name and by what they read. */
export class PodIndex {
  readonly #names = new Map<string, PodName>();
  readonly #byName = new Map<string, Set<string>>();
  readonly #byRef = new Map<string, Set<string>>();
  readonly #refs = new Map<string, string[]>();

  /** All UIDs. */
  uids(): string[] {
    return [...this.#names.keys()];
  }

  /** The name that a pod has or had. */
  name(uid: string): PodName | undefined {
    return this.#names.get(uid);
  }

  /** Other pods that have or had the same name. */
  others(uid: string): string[] {
    const name = this.#names.get(uid);
    const all = name && this.#byName.get(keyOf(name));
    return [...all ?? []].filter((one) => one !== uid);
  }

  /** Pods that read a configMap or secret. */
  readers(kind: "configmap" | "secret", name: PodName): string[] {
    return [...this.#byRef.get(`${kind}/${keyOf(name)}`) ?? []];
  }

  /** Notes a pod that is known by its memory or by what runs. */
  addName(uid: string, { namespace, name }: PodName): void {
    this.#names.set(uid, { namespace, name });
    addTo(this.#byName, keyOf({ namespace, name }), uid);
  }

  /** Notes a pod and what it reads. */
  add(pod: Pod): void {
    const { uid = "", namespace = "default", name } = pod.metadata;
    this.addName(uid, { namespace, name });
    this.#dropRefs(uid);
    const refs = podRefs(pod);
    const keys = [
      ...[...refs.configMaps].map((one) => `configmap/${keyOf({ namespace, name: one })}`),
      ...[...refs.secrets].map((one) => `secret/${keyOf({ namespace, name: one })}`),
    ];
    this.#refs.set(uid, keys);
    for (const key of keys) addTo(this.#byRef, key, uid);
  }

  /** Forgets a pod. */
  delete(uid: string): void {
    const name = this.#names.get(uid);
    this.#names.delete(uid);
    if (name) removeFrom(this.#byName, keyOf(name), uid);
    this.#dropRefs(uid);
  }

  #dropRefs(uid: string): void {
    for (const key of this.#refs.get(uid) ?? []) removeFrom(this.#byRef, key, uid);
    this.#refs.delete(uid);
  }
}

function keyOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`;
}

function addTo(map: Map<string, Set<string>>, key: string, uid: string): void {
  const set = map.get(key);
  if (set) set.add(uid);
  else map.set(key, new Set([uid]));
}

function removeFrom(map: Map<string, Set<string>>, key: string, uid: string): void {
  const set = map.get(key);
  set?.delete(uid);
  if (set?.size === 0) map.delete(key);
}
