import { formatQuantity, type NanoUnits, type Pod, quantityToUnits } from "../../core/api/mod.ts";
import { seconds } from "../../core/base/mod.ts";
import type { Termination } from "../pods/mod.ts";
import { type Starved, starvedBy } from "./rank.ts";
import { amountOf, type Observations, type Threshold } from "./thresholds.ts";
import type { PodUsage } from "./usage.ts";

/** How long an evicted pod gets: the node has no time to lose (`immediateEvictionGracePeriodSeconds`). */
const GRACE = seconds(1);

/** The order that ends a pod whose own limit of storage it has gone beyond. */
export function limitEviction(message: string): Termination {
  return { reason: "Evicted", message, grace: GRACE };
}

/** The order that ends a pod because the node has too little of something. */
export function pressureEviction(
  threshold: Threshold,
  observations: Observations,
  pod: Pod,
  usage: PodUsage | undefined,
): Termination {
  const message = pressureMessage(threshold, observations, pod, usage);
  const condition = { type: "DisruptionTarget", reason: "TerminationByKubelet", message };
  return { reason: "Evicted", message, grace: GRACE, condition };
}

/** The kubelet's sentence, word for word: people's alerts look for it. */
function pressureMessage(
  threshold: Threshold,
  observations: Observations,
  pod: Pod,
  usage: PodUsage | undefined,
): string {
  const starved = starvedBy(threshold.signal);
  const seen = observations[threshold.signal];
  const parts = [`The node was low on resource: ${starved}. `];
  if (seen) {
    const quantity = amountText(amountOf(threshold.below, seen.capacity), starved);
    const available = amountText(seen.available, starved);
    parts.push(`Threshold quantity: ${quantity}, available: ${available}. `);
  }
  for (const container of usage ? [...pod.spec.initContainers ?? [], ...pod.spec.containers] : []) {
    const used = usedBy(container.name, starved, usage as PodUsage);
    const text = container.resources?.requests?.[starved] ?? "0";
    if (used === undefined || used <= quantityToUnits(text)) continue;
    parts.push(
      `Container ${container.name} was using ${amountText(used, starved)}, request is ${text}, ` +
        `has larger consumption of ${starved}. `,
    );
  }
  return parts.join("");
}

function usedBy(name: string, starved: Starved, usage: PodUsage): number | undefined {
  if (starved === "memory") return usage.memory.get(name);
  if (starved !== "ephemeral-storage") return undefined;
  return (usage.rootfs.get(name)?.used ?? 0) + (usage.logs.get(name)?.used ?? 0);
}

/** An amount as Kubernetes prints it: bytes in Ki, Mi, ..., counts in k, M, .... */
export function amountText(amount: number, starved: Starved): string {
  const nano = BigInt(Math.trunc(amount)) * 1_000_000_000n as NanoUnits;
  return formatQuantity(nano, starved === "inodes" || starved === "pids" ? "decimal" : "binary");
}
