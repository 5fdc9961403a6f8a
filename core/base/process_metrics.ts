import type { ServiceState } from "./lifecycle.ts";
import type { Metrics } from "./metrics.ts";

/** What {@linkcode addProcessMetrics} shows. */
export interface ProcessMetricsOptions {
  readonly part: string;
  readonly version: string;
  readonly services: () => readonly ServiceState[];
  /** What the process uses now. */
  readonly usage: () => ProcessUsage;
}

/** What a process uses. */
export interface ProcessUsage {
  /** Seconds of all processors since its start. */
  readonly cpuSeconds: number;
  /** Bytes of the machine's memory. */
  readonly memory: number;
  /** Bytes of V8's heap that objects fill. */
  readonly heap: number;
  /** Start, in seconds since 1970. */
  readonly startedAt: number;
}

/** The metrics that every process has: its services (FEATURES row A23), its version, its cost. */
export function addProcessMetrics(metrics: Metrics, options: ProcessMetricsOptions): void {
  const { part, version, services, usage } = options;
  metrics.gauge("skerry_build_info", "What runs here; the value is always 1.", () => [
    { value: 1, labels: { part, version } },
  ]);
  metrics.gauge(
    "skerry_service_ready",
    "1 when the service does its work.",
    () =>
      services().map(({ name, phase }) => ({
        value: phase === "ready" ? 1 : 0,
        labels: { service: name },
      })),
  );
  metrics.kept(
    "skerry_service_restarts_total",
    "How often the service was started again.",
    () => services().map(({ name, restarts }) => ({ value: restarts, labels: { service: name } })),
  );
  // Names that every client library of Prometheus gives them.
  metrics.kept("process_cpu_seconds_total", "Processor time used, in seconds.", () => [
    { value: usage().cpuSeconds },
  ]);
  metrics.gauge("process_resident_memory_bytes", "Memory of the machine in use.", () => [
    { value: usage().memory },
  ]);
  metrics.gauge("process_start_time_seconds", "When the process began, since 1970.", () => [
    { value: usage().startedAt },
  ]);
  metrics.gauge("skerry_heap_bytes", "What objects fill of the heap.", () => [
    { value: usage().heap },
  ]);
}
