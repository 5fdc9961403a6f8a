import { isLoopback } from "../../core/base/mod.ts";
import type { HubOptions } from "../../core/parts/mod.ts";

/**
 * What to say of a hub that an API server of another machine cannot call: `undefined` when it can be
 * called. Pure. Nothing is wrong where the API server runs beside the hub, and nobody can see from
 * here whether it does: the address of a server may lead anywhere.
 */
export function unreachableKubelets(
  options: Pick<HubOptions, "kubelet-address" | "api-address">,
): string | undefined {
  const told = options["kubelet-address"];
  const listens = options["api-address"];
  const missing = [
    ...(isLoopback(told)
      ? [`--kubelet-address HOST, the address or name of this machine there (now ${told})`]
      : []),
    ...(isLoopback(listens)
      ? [`--api-address IP, to listen on it, 0.0.0.0 or :: for all (now ${listens})`]
      : []),
  ];
  if (missing.length === 0) return undefined;
  return "kubectl logs, exec, attach, port-forward and top fail unless the API server runs on this " +
    `machine: for one elsewhere start this hub with ${missing.join(" and ")}`;
}
