import type { Labels, Ms } from "../../core/base/mod.ts";
import { expose, type Family, type Row } from "./exposition.ts";
import type { Sample } from "./sampler.ts";
import type { ContainerView, PodView } from "./view.ts";

const NANO = 1e9;

/** The kubelet's `/metrics/resource`; without a sample, that it could not be taken. */
export function resourceText(of?: { sample: Sample; pods: readonly PodView[] }): string {
  const families = of ? [...nodeFamilies(of.sample), ...podFamilies(of.pods)] : [];
  return expose([...families, {
    name: "resource_scrape_error",
    type: "gauge",
    help: "1 if there was an error while getting container metrics, 0 otherwise",
    rows: [{ value: of ? 0 : 1 }],
  }]);
}

function nodeFamilies({ machine }: Sample): Family[] {
  const { at, cpuNanos, memory, memoryAvailable } = machine;
  return [{
    name: "node_cpu_usage_seconds_total",
    type: "counter",
    help: "Cumulative cpu time consumed by the node in core-seconds",
    rows: [{ value: cpuNanos / NANO, at }],
  }, {
    name: "node_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set of the node in bytes",
    rows: [{ value: memory - memoryAvailable, at }],
  }];
}

function podFamilies(pods: readonly PodView[]): Family[] {
  return [{
    name: "container_cpu_usage_seconds_total",
    type: "counter",
    help: "Cumulative cpu time consumed by the container in core-seconds",
    rows: containerRows(pods, ({ usage }) => ({ value: usage.cpuNanos / NANO, at: usage.at })),
  }, {
    name: "container_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set of the container in bytes",
    rows: containerRows(pods, ({ usage }) => ({ value: usage.workingSet, at: usage.at })),
  }, {
    name: "container_start_time_seconds",
    type: "gauge",
    help: "Start time of the container since unix epoch in seconds",
    rows: containerRows(
      pods,
      ({ startedAt }) => startedAt === undefined ? undefined : { value: startedAt / 1000 },
    ),
  }, {
    name: "pod_cpu_usage_seconds_total",
    type: "counter",
    help: "Cumulative cpu time consumed by the pod in core-seconds",
    rows: podRows(pods, ({ usage }) => usage.cpuNanos / NANO),
  }, {
    name: "pod_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set of the pod in bytes",
    rows: podRows(pods, ({ usage }) => usage.workingSet),
  }];
}

function containerRows(
  pods: readonly PodView[],
  read: (view: ContainerView) => Row | undefined,
): Row[] {
  return pods.flatMap((pod) =>
    pod.containers.flatMap((view) => {
      const row = read(view);
      if (!row) return [];
      return [{ ...row, labels: { container: view.usage.name, ...podLabels(pod) } }];
    })
  );
}

function podRows(pods: readonly PodView[], read: (view: ContainerView) => number): Row[] {
  return pods.filter(({ containers }) => containers.length > 0).map((pod) => ({
    value: pod.containers.reduce((sum, view) => sum + read(view), 0),
    labels: podLabels(pod),
    at: Math.max(...pod.containers.map(({ usage }) => usage.at)) as Ms,
  }));
}

function podLabels({ pod: { metadata } }: PodView): Labels {
  return { namespace: metadata.namespace ?? "default", pod: metadata.name };
}
