import type { Pod } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";

const HOSTNAME_MAX = 63;
/** What the kernel takes as a host name. */
const FQDN_MAX = 64;

/**
 * The pod's host name: its own word, or its name, cut to what a host name may be. `hostnameOverride`
 * wins over `hostname` and may have dots.
 */
export function podHostname(pod: Pod): string {
  const { hostname, hostnameOverride } = pod.spec;
  if (typeof hostnameOverride !== "string" && hostname) return hostname;
  const name = typeof hostnameOverride === "string" ? hostnameOverride : pod.metadata.name;
  return name.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, "");
}

/**
 * The pod's full name in the cluster; `undefined` for a pod without a `subdomain`, or with
 * `hostnameOverride`, which is in no domain.
 */
export function podFqdn(pod: Pod, clusterDomain: string): string | undefined {
  const { subdomain, hostnameOverride } = pod.spec;
  const { namespace = "default" } = pod.metadata;
  return subdomain && typeof hostnameOverride !== "string"
    ? `${podHostname(pod)}.${subdomain}.${namespace}.svc.${clusterDomain}`
    : undefined;
}

/**
 * The host name that the pod's containers see.
 *
 * @throws {AppError} Invalid when `setHostnameAsFQDN` asks for a longer one than the kernel takes
 */
export function seenHostname(pod: Pod, clusterDomain: string): string {
  const fqdn = pod.spec["setHostnameAsFQDN"] === true ? podFqdn(pod, clusterDomain) : undefined;
  if (fqdn === undefined) return podHostname(pod);
  if (fqdn.length <= FQDN_MAX) return fqdn;
  throw new AppError(
    "Invalid",
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long ` +
      `(${FQDN_MAX} characters is the max, ${fqdn.length} characters requested)`,
  );
}
