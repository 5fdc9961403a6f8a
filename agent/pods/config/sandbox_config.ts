import type { Pod } from "../../../core/api/mod.ts";
import { LABEL, type PortMapping, type SandboxConfig } from "../../runtimes/mod.ts";
import type { PodPaths } from "../paths.ts";
import { isSidecar } from "../policy/roles.ts";
import { sysctlsOf } from "../policy/sysctls.ts";
import { podDns } from "./dns.ts";
import { seenHostname } from "./hostname.ts";
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
  /** Folder of the seccomp profiles that pods may name. @default {"/var/lib/kubelet/seccomp"} */
  readonly seccompDir?: string;
}

/** What of a sandbox is not in the pod. */
export interface SandboxPlace {
  readonly node: SandboxNode;
  readonly paths: PodPaths;
  /** The runtime's handler that the pod's RuntimeClass names. @default {the runtime's own} */
  readonly handler?: string | undefined;
  /** The runtime makes cgroups through systemd, which wants them in a slice. @default {false} */
  readonly systemdCgroups?: boolean | undefined;
}

/**
 * Parent of all pods' containers. They are side by side in it, so that their shares of CPU compare:
 * the agent cannot set the shares of a cgroup for each pod.
 */
const CGROUPS = { plain: "/kubepods", systemd: "kubepods.slice" };

/**
 * What the runtime needs to make the pod's sandbox.
 *
 * @throws {AppError} Invalid for a host name or a profile that cannot be
 */
export function sandboxConfig(pod: Pod, attempt: number, place: SandboxPlace): SandboxConfig {
  const { node, paths, handler } = place;
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const { dns } = podDns(pod, node);
  const { hostNetwork } = pod.spec;
  return {
    podUid: uid,
    podName: name,
    podNamespace: namespace,
    attempt,
    hostname: hostNetwork ? node.nodeName : seenHostname(pod, node.clusterDomain),
    logDirectory: paths.logs({ namespace, name, uid }),
    ...(dns ? { dns } : {}),
    portMappings: portMappings(pod),
    labels: { ...(pod.metadata.labels ?? {}), ...podLabels(pod, node.nodeName) },
    annotations: pod.metadata.annotations ?? {},
    cgroupParent: place.systemdCgroups ? CGROUPS.systemd : CGROUPS.plain,
    sysctls: sysctlsOf(pod),
    securityContext: sandboxSecurity(pod, node.seccompDir),
    ...(handler ? { runtimeHandler: handler } : {}),
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

function portMappings(pod: Pod): PortMapping[] {
  if (pod.spec.hostNetwork) return [];
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  return [...sidecars, ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? []).filter((port) => port.hostPort).map((port) => ({
      protocol: port.protocol ?? "TCP",
      containerPort: port.containerPort,
      hostPort: port.hostPort ?? 0,
      hostIp: port.hostIP ?? "",
    }))
  );
}
