import type { ProbeCount } from "../pods/mod.ts";
import { expose } from "./exposition.ts";

/** How a kubelet writes the kind of a probe. */
const TYPE = { liveness: "Liveness", readiness: "Readiness", startup: "Startup" } as const;

/** The kubelet's `/metrics/probes`. */
export function probeText(counts: readonly ProbeCount[]): string {
  return expose([{
    name: "prober_probe_total",
    type: "counter",
    help: "Cumulative number of a liveness, readiness or startup probe for a container by result.",
    rows: counts.map(({ namespace, pod, uid, container, kind, result, count }) => ({
      labels: { container, namespace, pod, pod_uid: uid, probe_type: TYPE[kind], result },
      value: count,
    })),
  }]);
}
