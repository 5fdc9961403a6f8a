import {
  type Container,
  isQuantity,
  limitOf,
  type Pod,
  quantityToMilli,
  quantityToUnits,
  requestOf,
} from "../../../core/api/mod.ts";
import { AppError, type Bytes } from "../../../core/base/mod.ts";
import { podContainers } from "../policy/roles.ts";

/** Facts about the node and the pod's network that the downward API can name. */
export interface DownwardFacts {
  readonly nodeName: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Stand in for limits that are not set. */
  readonly cpuCapacity: number;
  readonly memoryCapacity: Bytes;
  readonly storageCapacity: Bytes;
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
  const all = podContainers(pod).map(({ container }) => container);
  const of = ref.containerName ? all.find((one) => one.name === ref.containerName) : container;
  if (!of) {
    throw new AppError(
      "Invalid",
      `resourceFieldRef names container "${ref.containerName}", which the pod does not have`,
    );
  }
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(
    ref.resource,
  );
  const [, side = "", resource = ""] = match ?? [];
  if (!match) {
    throw new AppError("Unsupported", `resourceFieldRef cannot show "${ref.resource}"`);
  }
  const amount = side === "limits"
    ? limitOf(of, resource) || capacityOf(resource, facts)
    : requestOf(of, resource) ?? 0;
  // Kubernetes counts CPU in thousandths and all else in whole units before it divides.
  const read = resource === "cpu" ? quantityToMilli : quantityToUnits;
  const divisor = isQuantity(ref.divisor) ? read(String(ref.divisor)) : 0;
  return String(Math.ceil(read(amount.toFixed(9)) / (divisor || read("1"))));
}

function capacityOf(resource: string, facts: DownwardFacts): number {
  if (resource === "cpu") return facts.cpuCapacity;
  if (resource === "memory") return facts.memoryCapacity;
  return resource === "ephemeral-storage" ? facts.storageCapacity : 0;
}

/** `key="value"` lines in order of keys, as Kubernetes writes labels into files. */
function formatMap(values: Record<string, string>): string {
  return Object.keys(values).sort().map((key) => `${key}=${quote(values[key] ?? "")}`).join(
    "\n",
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** A text as Go's `%q` writes it, which is what readers of these files parse. */
function quote(text: string): string {
  return `"${
    text.replace(/["\\]|\p{C}|[^\P{Z} ]/gu, (char) => {
      const code = char.codePointAt(0) ?? 0;
      if (ESCAPES[char] !== undefined) return ESCAPES[char];
      if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
      if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
      return `\\U${code.toString(16).padStart(8, "0")}`;
    })
  }"`;
}
