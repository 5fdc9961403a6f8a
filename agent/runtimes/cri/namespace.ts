/** The containerd namespace in which its CRI keeps containers. */
export const NAMESPACE = "k8s.io";

/** Headers of calls to containerd's own services. */
export const NAMESPACE_HEADERS = { "containerd-namespace": NAMESPACE } as const;
