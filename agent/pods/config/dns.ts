import type { Pod } from "../../../core/api/mod.ts";
import type { SandboxConfig } from "../../runtimes/mod.ts";
import type { SandboxNode } from "./sandbox_config.ts";

/** What C libraries read of a resolver's file; a kubelet cuts there too. */
const MOST = { servers: 3, searches: 32, searchLength: 2048 };

/** A pod's resolver. */
export interface PodDns {
  /** Absent: the runtime's copy of the node's own. */
  readonly dns?: NonNullable<SandboxConfig["dns"]>;
  /** What had to be left out, one sentence each. */
  readonly complaints: readonly string[];
}

/**
 * The resolver of a pod by its `dnsPolicy` and `dnsConfig`. `ClusterFirst` without a configured
 * cluster resolver is the same as `Default`.
 */
export function podDns(pod: Pod, node: SandboxNode): PodDns {
  const own = pod.spec.dnsConfig ?? {};
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  const first = policy === "ClusterFirstWithHostNet" ||
    (policy === "ClusterFirst" && !pod.spec.hostNetwork);
  const cluster = first && node.clusterDns.length > 0;
  const more = Object.values(own).some((list) => (list?.length ?? 0) > 0);
  if (!cluster && policy !== "None" && !more) return { complaints: [] };
  const { namespace = "default" } = pod.metadata;
  const domain = node.clusterDomain;
  const base = policy === "None" ? { servers: [], searches: [] } : node.nodeDns;
  const servers = cluster ? node.clusterDns : base.servers;
  const searches = cluster ? [`${namespace}.svc.${domain}`, `svc.${domain}`, domain] : [];
  const complaints: string[] = [];
  return {
    complaints,
    dns: {
      servers: cutServers(unique([...servers, ...own.nameservers ?? []]), complaints),
      searches: cutSearches(
        unique([...searches, ...base.searches, ...own.searches ?? []]),
        complaints,
      ),
      options: mergeOptions(cluster ? [{ name: "ndots", value: "5" }] : [], own.options ?? []),
    },
  };
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

type Option = { readonly name: string; readonly value?: string };

/** The pod's own win over those of the policy. */
function mergeOptions(base: readonly Option[], own: readonly Option[]): string[] {
  const byName = new Map([...base, ...own].map(({ name, value }) => [name, value]));
  return [...byName].map(([name, value]) => value ? `${name}:${value}` : name);
}

function cutServers(servers: string[], complaints: string[]): string[] {
  if (servers.length <= MOST.servers) return servers;
  const kept = servers.slice(0, MOST.servers);
  complaints.push(
    "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver " +
      `line is: ${kept.join(" ")}`,
  );
  return kept;
}

function cutSearches(searches: string[], complaints: string[]): string[] {
  const kept = searches.slice(0, MOST.searches);
  while (kept.join(" ").length > MOST.searchLength) kept.pop();
  if (kept.length < searches.length) {
    complaints.push(
      "Search Line limits were exceeded, some search paths have been omitted, the applied search " +
        `line is: ${kept.join(" ")}`,
    );
  }
  return kept;
}
