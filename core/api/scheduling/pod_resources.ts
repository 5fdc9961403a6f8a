import type { Container, Pod } from "../pod.ts";
import { isQuantity, quantityToMilli, quantityToUnits } from "../quantity.ts";

/** Amounts by resource: `cpu` in millicores, all others in their own units. */
export type Amounts = Map<string, number>;

/** Reads a map of quantities; what is no quantity counts as nothing. */
export function readAmounts(source: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(source ?? {})) {
    if (!isQuantity(text)) continue;
    amounts.set(name, name === "cpu" ? quantityToMilli(text) : quantityToUnits(text));
  }
  return amounts;
}

/**
 * What a pod asks of its node: the sum of its containers, or its largest init container if that is
 * more, plus overhead. Init containers that keep running (`restartPolicy: Always`) add to both.
 * Source: `resource.PodRequests`.
 */
export function requestsOf(pod: Pod): Amounts {
  const total: Amounts = new Map();
  for (const container of pod.spec.containers) add(total, requests(container));
  const sidecars: Amounts = new Map();
  const peak: Amounts = new Map();
  for (const container of pod.spec.initContainers ?? []) {
    const own = requests(container);
    if (container["restartPolicy"] === "Always") {
      add(sidecars, own);
      add(total, own);
      raise(peak, sidecars);
    } else {
      add(own, sidecars);
      raise(peak, own);
    }
  }
  raise(total, peak);
  add(total, readAmounts(pod.spec["overhead"]));
  return total;
}

/** What several pods ask of their node together. */
export function requestsOfAll(pods: readonly Pod[]): Amounts {
  const total: Amounts = new Map();
  for (const pod of pods) add(total, requestsOf(pod));
  return total;
}

function requests(container: Container): Amounts {
  return readAmounts({ ...container.resources?.limits, ...container.resources?.requests });
}

function add(to: Amounts, more: Amounts): void {
  for (const [name, amount] of more) to.set(name, (to.get(name) ?? 0) + amount);
}

function raise(to: Amounts, least: Amounts): void {
  for (const [name, amount] of least) to.set(name, Math.max(to.get(name) ?? 0, amount));
}

/** The host ports that a pod takes, as `protocol/port` with the address. */
export function hostPortsOf(pod: Pod): { key: string; address: string }[] {
  const containers = [...pod.spec.initContainers ?? [], ...pod.spec.containers];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, hostIP, protocol = "TCP" }) => {
      const port = hostPort || (pod.spec.hostNetwork ? containerPort : 0);
      return port ? [{ key: `${protocol}/${port}`, address: hostIP || "0.0.0.0" }] : [];
    })
  );
}

/** Whether two pods cannot share a node because of a host port. */
export function portsClash(a: Pod, b: Pod): boolean {
  const taken = hostPortsOf(b);
  return hostPortsOf(a).some((want) =>
    taken.some(({ key, address }) =>
      key === want.key &&
      (address === want.address || isAny(address) || isAny(want.address))
    )
  );
}

function isAny(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
