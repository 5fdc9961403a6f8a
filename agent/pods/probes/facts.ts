import type { Pod } from "../../../core/api/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import type { PodView, ProbeView } from "../policy/plan.ts";
import type { PodAddress } from "./asker.ts";
import type { ProbeOutcome } from "./outcome.ts";

/** What an answer says of the container: nothing, when it could not be asked. */
export function wellOf({ result }: ProbeOutcome): boolean | undefined {
  if (result === "error" || result === "away") return undefined;
  return result !== "failure";
}

/** Whether policy would decide otherwise. */
export function changedView(a: ProbeView, b: ProbeView): boolean {
  return a.started !== b.started || a.ready !== b.ready || !a.unhealthy !== !b.unhealthy;
}

/** What this node reported of this very run, maybe before the agent was restarted. */
export function reportedOf(
  pod: Pod,
  current: ObservedContainer,
): { started: boolean; ready: boolean } | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const status = [...containerStatuses, ...initContainerStatuses].find((one) =>
    one.name === current.name
  );
  if (!status?.state.running || !status.containerID?.endsWith(`://${current.id}`)) return undefined;
  return { started: status.started === true, ready: status.ready };
}

/** Where a pod is asked whose probe names no host. */
export function addressOf(pod: Pod, view: PodView, hostIPs: readonly string[]): PodAddress {
  if (pod.spec.hostNetwork) return nodeAddress(hostIPs[0] ?? "");
  return { host: view.sandboxes.find((one) => one.ready)?.ips[0] ?? "" };
}

/**
 * The node's own address, or loopback where this process may not connect to that: a server of the
 * host's network answers at both, unless it was told to listen on one alone.
 */
function nodeAddress(host: string): PodAddress {
  if (host === "") return { host: "127.0.0.1" };
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return { host };
  const aside = `asked at 127.0.0.1; with --node-ip=${host} the agent asks at the node's address`;
  return { host: "127.0.0.1", aside };
}
