import type { Pod, Service } from "../../../core/api/mod.ts";
import { hostAndPort } from "../../../core/base/mod.ts";

/**
 * The variables that tell a container of the Services of its namespace: `{NAME}_SERVICE_HOST`,
 * `{NAME}_SERVICE_PORT` and Docker's link variables, as a kubelet writes them. `services` may hold
 * more than count: of `default` the one named `kubernetes` is told to every pod, those of the pod's
 * own namespace only with `enableServiceLinks`.
 */
export function serviceEnv(pod: Pod, services: readonly Service[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const service of told(pod, services)) {
    const { clusterIP = "", ports = [] } = service.spec ?? {};
    const [first] = ports;
    if (clusterIP === "" || clusterIP === "None" || !first) continue;
    const prefix = variableName(service.metadata.name);
    out.set(`${prefix}_SERVICE_HOST`, clusterIP);
    out.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const { name, port } of ports) {
      if (name) out.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    }
    for (const { protocol = "TCP", port } of ports) {
      const word = protocol.toLowerCase();
      const url = `${word}://${hostAndPort(clusterIP, port)}`;
      if (!out.has(`${prefix}_PORT`)) out.set(`${prefix}_PORT`, url);
      const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
      out.set(link, url);
      out.set(`${link}_PROTO`, word);
      out.set(`${link}_PORT`, String(port));
      out.set(`${link}_ADDR`, clusterIP);
    }
  }
  return out;
}

/** By name, the pod's own namespace winning over `default`. */
function told(pod: Pod, services: readonly Service[]): Service[] {
  const { namespace = "default" } = pod.metadata;
  const byName = new Map<string, Service>();
  for (const service of services) {
    const { name } = service.metadata;
    const of = service.metadata.namespace ?? "default";
    const own = of === namespace && pod.spec["enableServiceLinks"] !== false;
    const master = of === "default" && name === "kubernetes";
    if (own || (master && !byName.has(name))) byName.set(name, service);
  }
  return [...byName.values()].sort((a, b) => a.metadata.name < b.metadata.name ? -1 : 1);
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
