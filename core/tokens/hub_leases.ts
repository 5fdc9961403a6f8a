/** Names by which hubs of a cluster, and people who ask for them, find the hubs' Leases. */

/** The Lease that the leader holds. */
export const LEADER_LEASE = "skerry-hub-leader";
/** The label of the Lease that each hub keeps. */
export const HUB_LABEL = "skerry.dev/hub";
/** Annotation: where API servers find the kubelets of the hub's nodes. */
export const KUBELET_ANNOTATION = "skerry.dev/kubelet-address";
/** Annotation: `host:port` at which nodes and other hubs reach the hub. */
export const PEER_ANNOTATION = "skerry.dev/peer";
