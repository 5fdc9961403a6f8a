import { type Metrics, METRICS_TYPE } from "../../core/base/mod.ts";
import type { KubeletRoute } from "../kubelet/mod.ts";
import type { NodeStats } from "./node_stats.ts";

/** The routes by which a kubelet tells what its node uses, and `own`, its process's metrics. */
export function statsRoutes(stats: NodeStats, own: Metrics): KubeletRoute[] {
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
  ];
}
