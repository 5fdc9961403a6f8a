/** The version of this build, as every part reports it. */
export const VERSION = "0.1.0";

/** The Kubernetes release whose API is served and whose kubelet a node stands in for. */
const KUBERNETES = "v1.34.0";

/**
 * What `/version` and a Node's `kubeletVersion` say for a Skerry version: `v1.34.0-skerry.0.1.0`.
 * Clients compare its `vMAJOR.MINOR` with their own and warn when they are too far apart.
 */
export function kubernetesVersion(version: string): string {
  return `${KUBERNETES}-skerry.${version}`;
}
