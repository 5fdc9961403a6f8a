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

/** How often values of some size came, e.g. times in seconds. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

type Type = "counter" | "gauge" | "histogram";

/** A metric without its values. */
export interface MetricInfo {
  readonly name: string;
  readonly type: Type;
  readonly help: string;
  /** Names of the labels that its samples have now. */
  readonly labels: readonly string[];
  /** Labels with their values, as `label=value`. */
  readonly values: readonly string[];
}

interface Metric {
  readonly help: string;
  readonly type: Type;
  /** `suffix` stands behind the name of a histogram's samples. */
  collect(): Iterable<Sample & { readonly suffix?: string }>;
}

const NAME = /^[a-z][a-z0-9_]*$/;

/** Upper bounds for times of calls over a network, in seconds. */
export const SECONDS_BUCKETS: readonly number[] = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
];

/** The content type of Prometheus' text format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics of one process in Prometheus' text format. Names are API: `skerry_<part>_<what>_<unit>`.
 * Counters and histograms show from the start with zero, so that a rate can be taken of the first
 * event.
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

  /** Makes a histogram of `bounds`, growing; the last bucket takes what is above all of them. */
  histogram(
    name: string,
    help: string,
    { bounds = SECONDS_BUCKETS, known = [{}] }: {
      /** @default {SECONDS_BUCKETS} */
      readonly bounds?: readonly number[];
      /** As of {@linkcode Metrics.counter}. */
      readonly known?: readonly Labels[];
    } = {},
  ): Histogram {
    const series = new Map<string, Series>();
    const seriesOf = (labels: Labels): Series => {
      const key = JSON.stringify(labels);
      let found = series.get(key);
      if (!found) series.set(key, found = new Series(labels, bounds));
      return found;
    };
    for (const labels of known) seriesOf(labels);
    this.#register(name, {
      help,
      type: "histogram",
      collect: () => [...series.values()].flatMap((one) => one.samples()),
    });
    return { observe: (value, labels = {}) => seriesOf(labels).observe(value) };
  }

  /** Makes a gauge that is read by `collect` when somebody asks. */
  gauge(name: string, help: string, collect: () => Iterable<Sample>): void {
    this.#register(name, { help, type: "gauge", collect });
  }

  /** Makes a counter that somebody else keeps, read by `collect` when somebody asks. */
  kept(name: string, help: string, collect: () => Iterable<Sample>): void {
    this.#register(name, { help, type: "counter", collect });
  }

  /** What there is, in the order of {@linkcode text}. */
  list(): MetricInfo[] {
    return [...this.#metrics].map(([name, { type, help, collect }]) => {
      const pairs = [...collect()].flatMap(({ labels }) => Object.entries(labels ?? {}));
      return {
        name,
        type,
        help,
        labels: [...new Set(pairs.map(([label]) => label))],
        values: [...new Set(pairs.map(([label, value]) => `${label}=${value}`))],
      };
    });
  }

  /** All metrics as text, content type `text/plain; version=0.0.4`. */
  text(): string {
    const out: string[] = [];
    for (const [name, { help, type, collect }] of this.#metrics) {
      out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const { value, labels, suffix = "" } of collect()) {
        out.push(`${name}${suffix}${labelText(labels)} ${value}`);
      }
    }
    return `${out.join("\n")}\n`;
  }

  #register(name: string, metric: Metric): void {
    if (!NAME.test(name)) throw new TypeError(`Cannot name a metric ${JSON.stringify(name)}`);
    if (this.#metrics.has(name)) throw new TypeError(`Cannot make the metric ${name} twice`);
    this.#metrics.set(name, metric);
  }
}

/** The values of a histogram with one label set. */
class Series {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const at = found < 0 ? this.#bounds.length : found;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  samples(): (Sample & { readonly suffix: string })[] {
    const labels = this.#labels;
    let count = 0;
    const buckets = this.#counts.map((here, at) => {
      const le = String(this.#bounds[at] ?? "+Inf");
      return { suffix: "_bucket", value: count += here, labels: { ...labels, le } };
    });
    return [
      ...buckets,
      { suffix: "_sum", value: this.#sum, labels },
      { suffix: "_count", value: count, labels },
    ];
  }
}

/** Labels as the text format writes them, e.g. `{node="a"}`; empty without labels. */
export function labelText(labels: Labels | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) =>
    `${key}="${value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"')}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
