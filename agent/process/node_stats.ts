import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, seconds } from "../../core/base/mod.ts";
import type { ExtraResource } from "../../core/http/mod.ts";
import { metricsApi } from "../../core/usage/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import { NodeStats } from "../stats/mod.ts";
import type { Base } from "./base.ts";

/** What this node tells of its use. A node without a runtime has no pods either. */
export function createStats(
  base: Base,
  runtime: Runtime | undefined,
  pods: PodManager | undefined,
): NodeStats {
  const { options, node, store } = base;
  return new NodeStats({
    ...base,
    runtime,
    uptime: () => seconds(Deno.osUptime()),
    pods: () =>
      store.transact((tx) => tx.list(RESOURCES.pods) as Pod[])
        .filter(({ spec }) => spec.nodeName === node),
    paths: pods?.paths,
    stateDir: options["state-dir"],
  });
}

/** `metrics.k8s.io` of this node's own API: of itself and its pods. */
export function localMetrics({ node, clock }: Base, stats: NodeStats): ExtraResource[] {
  return metricsApi(async (asked, signal) => {
    if (asked === node) return await stats.summary(signal, { brief: true });
    throw new AppError("NotFound", `this is node ${node}: ask the hub what ${asked} uses`);
  }, clock);
}
