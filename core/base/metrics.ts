import type { ServiceState } from "./lifecycle.ts";

/** Label values of one sample. */
export type Labels = Readonly<Record<string, string>>;

/** One sample of a metric that is read when somebody asks. */
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

/** A number that only grows. */
export interface Counter {
  add(amount?: number, labels?: Labels): void;
}

interface Metric {
  readonly help: string;
  readonly type: "counter" | "gauge";
  collect(): Iterable<Sample>;
}

const NAME = /^[a-z][a-z0-9_]*$/;

/**
 * Metrics of one process in Prometheus' text format. Names are API: `skerry_<part>_<what>_<unit>`.
 * Counters show from the start with zero, so that a rate can be taken of the first event.
 */
export class Metrics {
  readonly #metrics = new Map<string, Metric>();

  /** Makes a counter. `known` are label sets that show with zero before anything was counted. */
  counter(name: string, help: string, known: readonly Labels[] = [{}]): Counter {
    const samples = new Map<string, { value: number; labels: Labels }>();
    for (const labels of known) samples.set(JSON.stringify(labels), { value: 0, labels });
    this.#register(name, { help, type: "counter", collect: () => samples.values() });
    return {
      add(amount = 1, labels = {}) {
        const key = JSON.stringify(labels);
        const sample = samples.get(key);
        if (sample) sample.value += amount;
        else samples.set(key, { value: amount, labels });
      },
    };
  }

  /** Makes a gauge that is read by `collect` when somebody asks. */
  gauge(name: string, help: string, collect: () => Iterable<Sample>): void {
    this.#register(name, { help, type: "gauge", collect });
  }

  /** All metrics as text, content type `text/plain; version=0.0.4`. */
  text(): string {
    const out: string[] = [];
    for (const [name, { help, type, collect }] of this.#metrics) {
      out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const { value, labels } of collect()) out.push(`${name}${labelText(labels)} ${value}`);
    }
    return `${out.join("\n")}\n`;
  }

  #register(name: string, metric: Metric): void {
    if (!NAME.test(name)) throw new TypeError(`Cannot name a metric ${JSON.stringify(name)}`);
    if (this.#metrics.has(name)) throw new TypeError(`Cannot make the metric ${name} twice`);
    this.#metrics.set(name, metric);
  }
}

/** Labels as the text format writes them, e.g. `{node="a"}`; empty without labels. */
export function labelText(labels: Labels | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) =>
    `${key}="${value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"')}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** The metrics that every process has: its services (FEATURES row A23) and its version. */
export function addProcessMetrics(
  metrics: Metrics,
  options: { part: string; version: string; services: () => readonly ServiceState[] },
): void {
  const { part, version, services } = options;
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
  metrics.gauge(
    "skerry_service_restarts_total",
    "How often the service was started again.",
    () => services().map(({ name, restarts }) => ({ value: restarts, labels: { service: name } })),
  );
}
