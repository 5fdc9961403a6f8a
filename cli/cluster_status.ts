import { conditionOf, type KubeObject, type Lease, type Node, RESOURCES } from "../core/api/mod.ts";
import { fromTime, type Ms, systemClock, systemRandom } from "../core/base/mod.ts";
import { RemoteStore } from "../core/kube/mod.ts";
import {
  HUB_LABEL,
  KUBELET_ANNOTATION,
  LEADER_LEASE,
  PEER_ANNOTATION,
  SYSTEM_NAMESPACE,
} from "../core/tokens/mod.ts";
import type { ApiClient } from "./client.ts";
import { table } from "./table.ts";

const NODE_LEASES = "kube-node-lease";
/** A Lease that does not say how long it is good for is good for Kubernetes' own 40 s. */
const LEASE_SECONDS = 40;

/** What a cluster tells of its hubs and their nodes. */
export interface ClusterView {
  /** URL of the API server. */
  readonly server: string;
  readonly version: string;
  /** Leases of hubs, and the leader's, in the namespace of Skerry. */
  readonly hubs: readonly Lease[];
  /** All nodes of the cluster. */
  readonly nodes: readonly Node[];
  /** Leases of all nodes. */
  readonly leases: readonly Lease[];
}

/**
 * Reads what a cluster knows. Its API server has no route of a hub, but hubs and nodes keep Leases
 * there.
 *
 * @throws {AppError} what the API refuses
 */
export async function readCluster({ kube, endpoint }: ApiClient): Promise<ClusterView> {
  const store = new RemoteStore({ client: kube, clock: systemClock, random: systemRandom });
  const [{ gitVersion }, hubs, nodes, leases] = await Promise.all([
    kube.call({ method: "GET", path: "/version" }) as Promise<{ gitVersion?: string }>,
    store.list(RESOURCES.leases, { namespace: SYSTEM_NAMESPACE }),
    store.list(RESOURCES.nodes),
    store.list(RESOURCES.leases, { namespace: NODE_LEASES }),
  ]);
  return {
    server: endpoint.server,
    version: String(gitVersion),
    hubs: hubs.items as KubeObject[] as Lease[],
    nodes: nodes.items as KubeObject[] as Node[],
    leases: leases.items as KubeObject[] as Lease[],
  };
}

/** What `skerry status` prints of a cluster at `now`. Nodes of others are left out. */
export function clusterStatus(view: ClusterView, now: Ms): string {
  return [
    `cluster ${view.version} at ${view.server}`,
    hubsOf(view, now),
    "",
    nodesOf(view, now),
    "",
    `Services of a hub: its log and metrics, see docs/runbooks.md`,
  ].join("\n");
}

function hubsOf({ hubs }: ClusterView, now: Ms): string {
  const leader = hubs.find(({ metadata }) => metadata.name === LEADER_LEASE);
  const leads = leader && isFresh(leader, now) ? leader.spec.holderIdentity : undefined;
  const own = hubs.filter(({ metadata }) => metadata.labels?.[HUB_LABEL] !== undefined);
  if (own.length === 0) {
    return `no hub: namespace ${SYSTEM_NAMESPACE} holds no Lease of one; ` +
      "docs/install-kubernetes.md says how to install it";
  }
  const rows = own.map((lease) => {
    const { holderIdentity: id = "", renewTime = "" } = lease.spec;
    const { [KUBELET_ANNOTATION]: kubelet = "", [PEER_ANNOTATION]: peer = "" } =
      lease.metadata.annotations ?? {};
    const state = isFresh(lease, now) ? "up" : "silent";
    return [id, state, id !== "" && id === leads ? "yes" : "no", renewTime, kubelet, peer];
  });
  return table(["HUB", "STATE", "LEADS", "RENEWED", "KUBELETS AT", "NODES AT"], rows);
}

function nodesOf({ nodes, leases }: ClusterView, now: Ms): string {
  const leaseOf = new Map(leases.map((lease) => [lease.metadata.name, lease]));
  const rows = nodes.flatMap((node) => {
    const agent = node.status?.nodeInfo?.kubeletVersion ?? "";
    if (!agent.includes("-skerry.")) return [];
    const lease = leaseOf.get(node.metadata.name);
    const ready = conditionOf(node, "Ready")?.status ?? "Unknown";
    const link = lease && isFresh(lease, now) ? "connected" : "away";
    return [[node.metadata.name, link, ready, lease?.spec.renewTime ?? "never", agent]];
  });
  if (rows.length === 0) {
    return "no gateways: deno task skerry token create --node NAME lets one in";
  }
  return table(["NODE", "LINK", "READY", "LAST SEEN", "AGENT"], rows);
}

/** Whether whoever holds a Lease has renewed it in time. */
function isFresh({ spec }: Lease, now: Ms): boolean {
  const good = (spec.leaseDurationSeconds ?? LEASE_SECONDS) * 1000;
  return now - (fromTime(spec.renewTime) ?? 0) <= good;
}
