import type { Pod } from "../../../core/api/mod.ts";
import { LABEL, type PortMapping, type SandboxConfig } from "../../runtimes/mod.ts";
import type { PodPaths } from "../paths.ts";
import { sandboxSecurity } from "./security.ts";

/** How the node names things for pods. */
export interface SandboxNode {
  readonly nodeName: string;
  /** Servers for `ClusterFirst`; without them such pods get the node's own resolver. */
  readonly clusterDns: readonly string[];
  /** e.g. `cluster.local`. */
  readonly clusterDomain: string;
  /** The node's own resolver, joined to a pod's `dnsConfig`. */
  readonly nodeDns: { readonly servers: readonly string[]; readonly searches: readonly string[] };
  /** Parent of the pods' cgroups; the runtime's own default when absent. */
  readonly cgroupParent?: string | undefined;
}

const HOSTNAME_MAX = 63;

/** What the runtime needs to make the pod's sandbox. */
export function sandboxConfig(
  pod: Pod,
  attempt: number,
  options: { readonly node: SandboxNode; readonly paths: PodPaths },
): SandboxConfig {
  const { node, paths } = options;
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const dns = dnsConfig(pod, node);
  return {
    podUid: uid,
    podName: name,
    podNamespace: namespace,
    attempt,
    hostname: pod.spec.hostNetwork ? node.nodeName : podHostname(pod),
    logDirectory: paths.logs({ namespace, name, uid }),
    ...(dns ? { dns } : {}),
    portMappings: portMappings(pod),
    labels: { ...(pod.metadata.labels ?? {}), ...podLabels(pod, node.nodeName) },
    annotations: pod.metadata.annotations ?? {},
    ...(node.cgroupParent ? { cgroupParent: `${node.cgroupParent}/pod${uid}` } : {}),
    securityContext: sandboxSecurity(pod),
  };
}

/** The labels by which a pod's sandboxes and containers are found again. */
export function podLabels(pod: Pod, nodeName: string): Record<string, string> {
  const { name, namespace = "default", uid = "" } = pod.metadata;
  return {
    [LABEL.podName]: name,
    [LABEL.podNamespace]: namespace,
    [LABEL.podUid]: uid,
    [LABEL.node]: nodeName,
  };
}

/** The pod's host name: its own word, or its name cut to what a host name may be. */
export function podHostname(pod: Pod): string {
  return pod.spec.hostname ?? pod.metadata.name.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, "");
}

function portMappings(pod: Pod): PortMapping[] {
  if (pod.spec.hostNetwork) return [];
  return pod.spec.containers.flatMap((container) =>
    (container.ports ?? []).filter((port) => port.hostPort).map((port) => ({
      protocol: port.protocol ?? "TCP",
      containerPort: port.containerPort,
      hostPort: port.hostPort ?? 0,
      hostIp: port.hostIP ?? "",
    }))
  );
}

/**
 * The pod's resolver. `undefined` leaves it to the runtime, which copies the node's; `ClusterFirst`
 * without a configured cluster resolver is the same as `Default`.
 */
function dnsConfig(pod: Pod, node: SandboxNode): SandboxConfig["dns"] {
  const own = pod.spec.dnsConfig ?? {};
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  const first = policy === "ClusterFirstWithHostNet" ||
    (policy === "ClusterFirst" && !pod.spec.hostNetwork);
  const cluster = first && node.clusterDns.length > 0;
  const { namespace = "default" } = pod.metadata;
  const domain = node.clusterDomain;
  const options = (own.options ?? []).map(({ name, value }) => value ? `${name}:${value}` : name);
  const hasOwn = (own.nameservers?.length ?? 0) + (own.searches?.length ?? 0) + options.length > 0;
  if (!cluster && policy !== "None" && !hasOwn) return undefined;
  const base = policy === "None" ? { servers: [], searches: [] } : node.nodeDns;
  const searches = cluster
    ? [`${namespace}.svc.${domain}`, `svc.${domain}`, domain]
    : base.searches;
  return {
    servers: [...(cluster ? node.clusterDns : base.servers), ...(own.nameservers ?? [])],
    searches: [...searches, ...(own.searches ?? [])],
    options: cluster && !options.some((one) => one.startsWith("ndots"))
      ? ["ndots:5", ...options]
      : options,
  };
}
