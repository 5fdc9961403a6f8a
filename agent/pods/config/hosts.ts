import type { Pod } from "../../../core/api/mod.ts";
import { podFqdn, podHostname } from "./hostname.ts";

const LOCAL = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

const HOST_HEADER = "# Kubernetes-managed hosts file (host network).\n";

/** The pod's `/etc/hosts`, in the kubelet's form. `nodeHosts` is the node's own, for host network. */
export function hostsFile(
  pod: Pod,
  options: {
    readonly ips: readonly string[];
    readonly clusterDomain: string;
    readonly nodeHosts?: string;
  },
): string {
  const aliases = (pod.spec.hostAliases ?? []) as { ip: string; hostnames?: string[] }[];
  const extra = aliases.map((one) => `${one.ip}\t${(one.hostnames ?? []).join("\t")}\n`).join("");
  const tail = extra && `\n# Entries added by HostAliases.\n${extra}`;
  if (pod.spec.hostNetwork) return `${HOST_HEADER}${options.nodeHosts ?? ""}${tail}`;
  const host = podHostname(pod);
  const fqdn = podFqdn(pod, options.clusterDomain);
  const names = fqdn ? `${fqdn}\t${host}` : host;
  return LOCAL + options.ips.map((ip) => `${ip}\t${names}\n`).join("") + tail;
}
