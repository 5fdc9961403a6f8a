import { BlockList, isIPv6 } from "node:net";
import type { Pod, Service } from "../../../core/api/mod.ts";

/** Where pods find the Kubernetes API: this node's own, under the name of the cluster's. */
export interface LocalApiPlace {
  readonly port: number;
  /** PEM of the CA that signed its certificate; pods trust it beside the cluster's. */
  readonly ca: string;
  /** The machine's addresses now, each with its subnet. */
  readonly interfaces: () => readonly { readonly address: string; readonly cidr: string }[];
}

/** The names of Kubernetes' own Service, as any cluster's API server is called by its pods. */
export const API_NAMES = [
  "kubernetes.default.svc",
  "kubernetes.default",
  "kubernetes",
  "kubernetes.default.svc.cluster.local",
] as const;

/**
 * The Services that a pod is told of, with this node's API in the place of the cluster's, whose
 * address nobody can reach from here. By name, so that no environment holds an address of the node,
 * which may change.
 */
export function withLocalApi(services: readonly Service[], port: number): Service[] {
  return services.map((service) => {
    if (!isApiService(service)) return service;
    const ports = [{ name: "https", protocol: "TCP", port }];
    return { ...service, spec: { ...service.spec, clusterIP: API_NAMES[0], ports } } as Service;
  });
}

/** Whether it is the Service of the API server. */
export function isApiService({ metadata: { name, namespace } }: Service): boolean {
  return name === "kubernetes" && namespace === "default";
}

/**
 * At which address a pod reaches this node's API: in the host's network the loopback; else the
 * host's own in the subnet of the pod, which stays when the uplink loses its address; else the
 * node's. `undefined` when there is none.
 */
export function localApiAddress(
  pod: Pod,
  at: {
    readonly podIPs: readonly string[];
    readonly hostIPs: readonly string[];
    readonly interfaces: ReturnType<LocalApiPlace["interfaces"]>;
  },
): string | undefined {
  if (pod.spec.hostNetwork) return "127.0.0.1";
  for (const ip of at.podIPs) {
    const near = at.interfaces.find(({ address, cidr }) => address !== ip && holds(cidr, ip));
    if (near) return near.address;
  }
  const [first] = at.podIPs;
  const sameFamily = at.hostIPs.find((ip) => first !== undefined && isIPv6(ip) === isIPv6(first));
  return sameFamily ?? at.hostIPs[0];
}

function holds(cidr: string, ip: string): boolean {
  const [net = "", prefix = ""] = cidr.split("/");
  if (isIPv6(net) !== isIPv6(ip)) return false;
  const family = isIPv6(net) ? "ipv6" : "ipv4";
  const range = new BlockList();
  range.addSubnet(net, Number(prefix), family);
  return range.check(ip, family);
}

/** The line of a pod's `/etc/hosts`; names that the pod's own lines have are left to those. */
export function localApiHosts(address: string, before: string): string {
  const taken = new Set(
    before.split("\n").flatMap((line) => line.replace(/#.*/, "").trim().split(/\s+/).slice(1)),
  );
  const names = API_NAMES.filter((name) => !taken.has(name));
  return names.length === 0
    ? ""
    : `\n# The Kubernetes API, served by this node.\n${address}\t${names.join("\t")}\n`;
}
