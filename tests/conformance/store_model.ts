import { apiVersionOf, type KubeObject, RESOURCES } from "../../core/api/mod.ts";

/** The kind of the model: it has a status and its spec is free. */
export const KIND = RESOURCES.wasmfunctions;

/** What the model knows of an object: all that a user can see of it but versions and times. */
export interface Known {
  /** Counts the objects that were ever made: another life, another uid. */
  readonly life: number;
  readonly generation: number;
  readonly spec: number;
  readonly status: number | undefined;
  readonly on: boolean;
  readonly held: boolean;
  readonly deleting: boolean;
}

/** Objects by `namespace/name`, with Kubernetes' rules written down once more, in few words. */
export class StoreModel {
  readonly objects = new Map<string, Known>();
  #lives = 0;

  create(key: string, spec: number, on: boolean, held: boolean): "ok" | "AlreadyExists" {
    if (this.objects.has(key)) return "AlreadyExists";
    const life = ++this.#lives;
    this.objects.set(key, {
      life,
      generation: 1,
      spec,
      status: undefined,
      on,
      held,
      deleting: false,
    });
    return "ok";
  }

  /** Changes spec and label, or only the status. */
  update(key: string, change: Partial<Known>): "ok" | "NotFound" {
    const known = this.objects.get(key);
    if (!known) return "NotFound";
    const next = { ...known, ...change };
    if (next.spec !== known.spec) {
      this.objects.set(key, { ...next, generation: known.generation + 1 });
    } else this.objects.set(key, next);
    if (next.deleting && !next.held) this.objects.delete(key);
    return "ok";
  }

  delete(key: string): "ok" | "NotFound" {
    const known = this.objects.get(key);
    if (!known) return "NotFound";
    if (!known.held) this.objects.delete(key);
    else if (!known.deleting) {
      this.objects.set(key, { ...known, deleting: true, generation: known.generation + 1 });
    }
    return "ok";
  }

  /** What a reader with this selection should know, as text that can be compared. */
  view(selection: { namespace?: string; labelSelector?: string }): Map<string, string> {
    const chosen = [...this.objects].filter(([key, { on }]) =>
      (!selection.namespace || key.startsWith(`${selection.namespace}/`)) &&
      (!selection.labelSelector || on)
    );
    const sorted = chosen.sort(([a], [b]) => a < b ? -1 : 1);
    return new Map(sorted.map(([key, known]) => [key, JSON.stringify(known)]));
  }

  /** Everything, to come back to. */
  save(): Map<string, Known> {
    return new Map(this.objects);
  }

  restore(saved: ReadonlyMap<string, Known>): void {
    this.objects.clear();
    for (const [key, known] of saved) this.objects.set(key, known);
  }
}

/** An object of the model's kind, as a user would send it. */
export function wasm(key: string, spec: number, on: boolean, held: boolean): KubeObject {
  const [namespace = "", name = ""] = key.split("/");
  return {
    apiVersion: apiVersionOf(KIND),
    kind: KIND.kind,
    metadata: {
      name,
      namespace,
      labels: { on: on ? "yes" : "no" },
      ...(held ? { finalizers: ["example.com/hold"] } : {}),
    },
    spec: { value: spec },
  };
}

/** Reads from real objects what the model knows; learns on the way which uid is which life. */
export class Observer {
  readonly #lives = new Map<string, number>();

  /** Notes that the model's newest object got this uid. */
  born(uid: string, life: number): void {
    this.#lives.set(uid, life);
  }

  text({ metadata, spec, status }: KubeObject): string {
    const known: Known = {
      life: this.#lives.get(metadata.uid ?? "") ?? -1,
      generation: metadata.generation ?? -1,
      spec: spec.value,
      status: status?.value,
      on: metadata.labels?.["on"] === "yes",
      held: (metadata.finalizers?.length ?? 0) > 0,
      deleting: metadata.deletionTimestamp !== undefined,
    };
    return JSON.stringify(known);
  }

  view(objects: readonly KubeObject[]): Map<string, string> {
    return new Map(
      objects.map((object) => [
        `${object.metadata.namespace}/${object.metadata.name}`,
        this.text(object),
      ]),
    );
  }
}
