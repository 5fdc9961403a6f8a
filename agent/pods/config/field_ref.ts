import { type Container, type Pod, quantityToNumber } from "../../../core/api/mod.ts";
import { AppError, type Bytes } from "../../../core/base/mod.ts";
import { limitOf, requestOf } from "../policy/resources.ts";

/** Facts about the node and the pod's network that the downward API can name. */
export interface DownwardFacts {
  readonly nodeName: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Stand in for limits that are not set. */
  readonly cpuCapacity: number;
  readonly memoryCapacity: Bytes;
}

/**
 * The value of a `fieldRef`.
 *
 * @throws {AppError} Unsupported for a path that the downward API does not have
 */
export function fieldValue(pod: Pod, path: string, facts: DownwardFacts): string {
  const map = /^metadata\.(labels|annotations)(?:\['(.*)'\])?$/.exec(path);
  if (map) {
    const values = (map[1] === "labels" ? pod.metadata.labels : pod.metadata.annotations) ?? {};
    return map[2] === undefined ? formatMap(values) : values[map[2]] ?? "";
  }
  switch (path) {
    case "metadata.name":
      return pod.metadata.name;
    case "metadata.namespace":
      return pod.metadata.namespace ?? "default";
    case "metadata.uid":
      return pod.metadata.uid ?? "";
    case "spec.nodeName":
      return facts.nodeName;
    case "spec.serviceAccountName":
      return pod.spec.serviceAccountName ?? "default";
    case "status.hostIP":
      return facts.hostIPs[0] ?? "";
    case "status.hostIPs":
      return facts.hostIPs.join(",");
    case "status.podIP":
      return facts.podIPs[0] ?? "";
    case "status.podIPs":
      return facts.podIPs.join(",");
  }
  throw new AppError("Unsupported", `fieldPath "${path}" is not a field of the downward API`);
}

/**
 * The value of a `resourceFieldRef`: the amount divided by the divisor, rounded up. A limit that
 * is not set is the node's capacity.
 *
 * @throws {AppError} Unsupported for a resource that is not known
 */
export function resourceFieldValue(
  pod: Pod,
  container: Container,
  ref: { containerName?: string; resource: string; divisor?: string },
  facts: DownwardFacts,
): string {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const of = ref.containerName ? all.find((one) => one.name === ref.containerName) : container;
  if (!of) {
    throw new AppError(
      "Invalid",
      `resourceFieldRef names container "${ref.containerName}", which the pod does not have`,
    );
  }
  const match = /^(limits|requests)\.(cpu|memory)$/.exec(ref.resource);
  const [, side, resource] = match ?? [];
  if (!side || !resource) {
    throw new AppError("Unsupported", `resourceFieldRef cannot show "${ref.resource}"`);
  }
  const capacity = resource === "cpu" ? facts.cpuCapacity : facts.memoryCapacity;
  const amount = side === "limits"
    ? limitOf(of, resource) || capacity
    : requestOf(of, resource) ?? 0;
  const divisor = quantityToNumber(ref.divisor) || 1;
  return String(Math.ceil(Number((amount / divisor).toFixed(6))));
}

/** `key="value"` lines in order of keys, as Kubernetes writes labels into files. */
function formatMap(values: Record<string, string>): string {
  return Object.keys(values).sort().map((key) => `${key}=${JSON.stringify(values[key])}`).join(
    "\n",
  );
}
