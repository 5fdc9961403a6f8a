import type { Labels } from "../../core/base/mod.ts";
import type { MachineFacts } from "../node/mod.ts";
import { cgroupNumbers } from "../pods/mod.ts";
import type { ContainerResources, InterfaceUsage } from "../runtimes/mod.ts";
import { expose, type Family, type Row } from "./exposition.ts";
import type { MachineUsage } from "./machine.ts";
import type { Sample } from "./sampler.ts";
import type { ContainerView, PodView } from "./view.ts";

/** A metric of containers. */
interface ContainerMetric {
  readonly name: string;
  readonly type: Family["type"];
  readonly help: string;
  /** One value for each set of labels beside those that every row has. */
  readonly values: readonly ContainerValue[];
  /** The same of the whole machine. */
  readonly machine?: (usage: MachineUsage) => number;
}

interface ContainerValue {
  readonly labels?: Labels;
  /** `undefined` leaves the container out. */
  readonly read: (view: ContainerView, spec: ContainerResources) => number | undefined;
}

const NANO = 1e9;
/** Of containers without a quota too. */
const DEFAULT_PERIOD = 100_000;

const METRICS: readonly ContainerMetric[] = [{
  name: "container_cpu_usage_seconds_total",
  type: "counter",
  help: "Cumulative cpu time consumed in seconds.",
  values: [{ labels: { cpu: "total" }, read: ({ usage }) => usage.cpuNanos / NANO }],
  machine: ({ cpuNanos }) => cpuNanos / NANO,
}, {
  name: "container_memory_usage_bytes",
  type: "gauge",
  help: "Current memory usage in bytes, including all memory regardless of when it was accessed",
  values: [{ read: ({ usage }) => usage.memory }],
  machine: ({ memory, memoryFree }) => memory - memoryFree,
}, {
  name: "container_memory_working_set_bytes",
  type: "gauge",
  help: "Current working set in bytes.",
  values: [{ read: ({ usage }) => usage.workingSet }],
  machine: ({ memory, memoryAvailable }) => memory - memoryAvailable,
}, {
  name: "container_memory_rss",
  type: "gauge",
  help: "Size of RSS in bytes.",
  values: [{ read: ({ usage }) => usage.rss }],
}, {
  name: "container_memory_failures_total",
  type: "counter",
  help: "Cumulative count of memory allocation failures.",
  values: [
    { labels: failure("pgfault"), read: ({ usage }) => usage.pageFaults },
    { labels: failure("pgmajfault"), read: ({ usage }) => usage.majorPageFaults },
  ],
}, {
  name: "container_fs_usage_bytes",
  type: "gauge",
  help: "Number of bytes that are consumed by the container on this filesystem.",
  values: [{ labels: { device: "" }, read: ({ usage }) => usage.filesystem?.used }],
}, {
  name: "container_spec_cpu_period",
  type: "gauge",
  help: "CPU period of the container.",
  values: [{ read: (_, { cpuPeriod = DEFAULT_PERIOD }) => cpuPeriod }],
}, {
  name: "container_spec_cpu_quota",
  type: "gauge",
  help: "CPU quota of the container.",
  values: [{ read: (_, { cpuQuota }) => cpuQuota }],
}, {
  name: "container_spec_cpu_shares",
  type: "gauge",
  help: "CPU share of the container.",
  values: [{ read: (_, { cpuShares }) => cpuShares }],
}, {
  name: "container_spec_memory_limit_bytes",
  type: "gauge",
  help: "Memory limit for the container.",
  // 0 is no limit.
  values: [{ read: (_, { memoryLimit = 0 }) => memoryLimit }],
}, {
  name: "container_start_time_seconds",
  type: "gauge",
  help: "Start time of the container since unix epoch in seconds.",
  values: [{ read: ({ startedAt }) => startedAt === undefined ? undefined : startedAt / 1000 }],
}, {
  name: "container_last_seen",
  type: "gauge",
  help: "Last time a container was seen by the exporter",
  values: [{ read: ({ usage }) => Math.floor(usage.at / 1000) }],
}];

const NETWORK: readonly {
  readonly name: string;
  readonly help: string;
  readonly read: (usage: InterfaceUsage) => number;
}[] = [{
  name: "container_network_receive_bytes_total",
  help: "Cumulative count of bytes received",
  read: ({ rxBytes }) => rxBytes,
}, {
  name: "container_network_receive_errors_total",
  help: "Cumulative count of errors encountered while receiving",
  read: ({ rxErrors }) => rxErrors,
}, {
  name: "container_network_transmit_bytes_total",
  help: "Cumulative count of bytes transmitted",
  read: ({ txBytes }) => txBytes,
}, {
  name: "container_network_transmit_errors_total",
  help: "Cumulative count of errors encountered while transmitting",
  read: ({ txErrors }) => txErrors,
}];

/**
 * cAdvisor's metrics, with the labels that it has in a kubelet. `id` is the path that a kubelet would
 * give to the cgroup, as dashboards choose by it; `/` is the machine. Without a sample, the text says
 * that it could not be taken.
 */
export function cadvisorText(
  facts: MachineFacts,
  of?: { readonly sample: Sample; readonly pods: readonly PodView[] },
): string {
  const { sample, pods = [] } = of ?? {};
  return expose([
    ...machineFamilies(facts),
    ...METRICS.map((metric) => ({
      ...metric,
      rows: [
        ...(sample ? machineRows(metric, sample.machine) : []),
        ...pods.flatMap((pod) => containerRows(metric, pod, facts)),
      ],
    })),
    ...NETWORK.map((metric): Family => ({
      ...metric,
      type: "counter",
      rows: pods.flatMap((pod) => networkRows(metric.read, pod)),
    })),
    {
      name: "container_scrape_error",
      type: "gauge",
      help: "1 if there was an error while getting container metrics, 0 otherwise",
      rows: [{ value: of ? 0 : 1 }],
    },
  ]);
}

function machineFamilies({ cpus, memory, machineId, bootId }: MachineFacts): Family[] {
  const labels = { boot_id: bootId, machine_id: machineId, system_uuid: machineId };
  return [{
    name: "machine_cpu_cores",
    type: "gauge",
    help: "Number of logical CPU cores.",
    rows: [{ value: cpus, labels }],
  }, {
    name: "machine_memory_bytes",
    type: "gauge",
    help: "Amount of memory installed on the machine.",
    rows: [{ value: memory, labels }],
  }];
}

function machineRows({ machine, values }: ContainerMetric, usage: MachineUsage): Row[] {
  if (!machine) return [];
  const labels = { ...rowLabels({ id: "/" }), ...values[0]?.labels };
  return [{ value: machine(usage), labels, at: usage.at }];
}

function containerRows({ values }: ContainerMetric, pod: PodView, facts: MachineFacts): Row[] {
  return pod.containers.flatMap((view) => {
    const { usage, spec } = view;
    const limits = spec ? cgroupNumbers(pod.pod, spec, facts.memory) : {};
    return values.flatMap(({ labels, read }) => {
      const value = read(view, limits);
      if (value === undefined) return [];
      const own = rowLabels({
        container: usage.name,
        id: `${podPath(pod)}/${usage.id}`,
        image: spec?.image ?? "",
        name: usage.id,
        pod,
      });
      return [{ value, labels: { ...own, ...labels }, at: usage.at }];
    });
  });
}

function networkRows(read: (usage: InterfaceUsage) => number, pod: PodView): Row[] {
  const { sandbox } = pod;
  if (!sandbox) return [];
  const labels = rowLabels({ id: podPath(pod), name: sandbox.id, pod });
  return sandbox.interfaces.map((usage) => ({
    value: read(usage),
    labels: { ...labels, interface: usage.name },
    at: sandbox.at,
  }));
}

/** The labels that every row of a container has; a row of a pod names no container. */
function rowLabels(
  of: { container?: string; id: string; image?: string; name?: string; pod?: PodView },
): Labels {
  const { container = "", id, image = "", name = "", pod } = of;
  const { metadata } = pod?.pod ?? {};
  const namespace = metadata ? metadata.namespace ?? "default" : "";
  return { container, id, image, name, namespace, pod: metadata?.name ?? "" };
}

function podPath({ pod }: PodView): string {
  return `/kubepods/pod${pod.metadata.uid ?? ""}`;
}

function failure(type: string): Labels {
  return { failure_type: type, scope: "container" };
}
