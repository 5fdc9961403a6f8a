/** What a pod says that ended with the node: the words of Kubernetes' graceful node shutdown. */
export const SHUT_DOWN = {
  reason: "Terminated",
  message: "Pod was terminated in response to imminent node shutdown.",
} as const;
