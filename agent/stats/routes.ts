import { type Metrics, METRICS_TYPE } from "../../core/base/mod.ts";
import type { KubeletRoute } from "../kubelet/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { NodeStats } from "./node_stats.ts";
import { probeText } from "./probe_metrics.ts";

/** What {@linkcode statsRoutes} tell of. */
export interface StatsParts {
  readonly stats: NodeStats;
  /** Absent on a node that runs no pods. */
  readonly pods: Pick<PodManager, "probeCounts"> | undefined;
  /** The metrics of this process. */
  readonly own: Metrics;
}

/** The routes by which a kubelet tells what its node uses, and how its probes go. */
export function statsRoutes({ stats, pods, own }: StatsParts): KubeletRoute[] {
  const text = (
    path: string,
    read: (signal: AbortSignal) => Promise<string> | string,
  ): KubeletRoute => ({
    method: "GET",
    path,
    handle: async (_, signal) =>
      new Response(await read(signal), { headers: { "content-type": METRICS_TYPE } }),
  });
  return [
    {
      method: "GET",
      path: "/stats/summary",
      handle: async ({ url }, signal) => {
        const brief = url.searchParams.get("only_cpu_and_memory") === "true";
        return Response.json(await stats.summary(signal, { brief }));
      },
    },
    text("/metrics", () => own.text()),
    text("/metrics/resource", (signal) => stats.resourceMetrics(signal)),
    text("/metrics/cadvisor", (signal) => stats.cadvisorMetrics(signal)),
    text("/metrics/probes", () => probeText(pods?.probeCounts() ?? [])),
  ];
}
