import { type Labels, labelText, type Ms } from "../../core/base/mod.ts";

/** One value of a metric. */
export interface Row {
  readonly value: number;
  readonly labels?: Labels;
  /** When it was measured; the moment of the scrape when absent. */
  readonly at?: Ms;
}

/** A metric with all its values. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly rows: readonly Row[];
}

/** Prometheus' text format, with the time of each measurement. Metrics without a value are left out. */
export function expose(families: readonly Family[]): string {
  return families.filter(({ rows }) => rows.length > 0).map((family) => {
    const { name, type, help, rows } = family;
    const lines = rows.map(({ value, labels, at }) =>
      `${name}${labelText(labels)} ${value}${at === undefined ? "" : ` ${Math.round(at)}`}\n`
    );
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
  }).join("");
}
