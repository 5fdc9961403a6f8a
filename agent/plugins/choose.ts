import type { Container, Pod } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import { extendedWants } from "../pods/mod.ts";

/** What one container of a pod asks for. */
export interface ContainerWants {
  readonly container: string;
  readonly wants: ReadonlyMap<string, number>;
  /** Whether later containers of the pod may have its devices: an init container that ends. */
  readonly lends: boolean;
}

/** The containers of a pod that ask for devices, in the order they are served. */
export function podWants(pod: Pod): ContainerWants[] {
  const of = (container: Container, init: boolean): ContainerWants => ({
    container: container.name,
    wants: extendedWants(container),
    lends: init && container.restartPolicy !== "Always",
  });
  return [
    ...(pod.spec.initContainers ?? []).map((one) => of(one, true)),
    ...pod.spec.containers.map((one) => of(one, false)),
  ].filter(({ wants }) => wants.size > 0);
}

/** What devices of one resource a container may get. */
export interface Choice {
  /** Of the same pod's init containers: taken first. */
  readonly lent: readonly string[];
  /** Healthy ones that nobody has. */
  readonly free: readonly string[];
  readonly count: number;
}

/**
 * What there is to choose from.
 *
 * @throws {AppError} Conflict when that is too little; the text is the kubelet's
 */
export function choiceOf(
  resource: string,
  input: {
    readonly count: number;
    readonly healthy: ReadonlySet<string>;
    readonly used: ReadonlySet<string>;
    readonly lent: ReadonlySet<string>;
  },
): Choice {
  const { count, healthy, used } = input;
  if (healthy.size === 0) {
    throw new AppError(
      "Conflict",
      `no healthy devices present; cannot allocate unhealthy devices ${resource}`,
    );
  }
  const lent = [...input.lent].sort().slice(0, count);
  const free = [...healthy].filter((id) => !used.has(id) && !input.lent.has(id)).sort();
  if (!Number.isInteger(count) || free.length < count - lent.length) {
    throw new AppError(
      "Conflict",
      `requested number of devices unavailable for ${resource}. ` +
        `Requested: ${count}, Available: ${free.length + lent.length}`,
    );
  }
  return { lent, free, count };
}

/** The devices to take: the lent ones, then of `preferred` what is free, then any. */
export function choose(choice: Choice, preferred: readonly string[] = []): string[] {
  const free = new Set(choice.free);
  const wanted = preferred.filter((id) => free.has(id));
  return [...new Set([...choice.lent, ...wanted, ...choice.free])].slice(0, choice.count);
}
