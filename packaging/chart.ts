/**
 * What the chart renders to, by helm: `deno run -P=tools packaging/chart.ts` writes it into
 * `packaging/chart/*.golden.yaml`; a test fails when they differ.
 */
import { SYSTEM_NAMESPACE } from "../core/tokens/mod.ts";
import { findHelm } from "../tools/helm.ts";

/** The chart's folder. */
export const CHART = new URL("../charts/skerry", import.meta.url).pathname;
const FOLDER = new URL("./chart/", import.meta.url);

/** How helm ended, and what it said. */
export interface Helm {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs helm on the chart. Never throws for what helm says. */
export async function runHelm(verb: string, args: readonly string[]): Promise<Helm> {
  const { code, stdout, stderr } = await new Deno.Command(await findHelm(), {
    args: [verb, ...args],
  }).output();
  const text = (data: Uint8Array): string => new TextDecoder().decode(data);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Has helm render the chart. */
export async function renderChart(args: readonly string[]): Promise<Helm> {
  return await runHelm("template", [
    ...["skerry", CHART, `--namespace=${SYSTEM_NAMESPACE}`, "--kube-version=1.36.0"],
    ...args,
  ]);
}

/** The files of what the chart renders to: with its defaults, and with all values changed. */
export async function goldenFiles(): Promise<ReadonlyMap<string, string>> {
  const values = new URL("all.values.yaml", FOLDER).pathname;
  const files = new Map<string, string>();
  for (const [name, args] of [["default", []], ["all", [`--values=${values}`]]] as const) {
    const { code, out, err } = await renderChart(args);
    if (code !== 0) throw new Error(err);
    files.set(`${name}.golden.yaml`, out);
  }
  return files;
}

/** Reads one of {@linkcode goldenFiles} as it was written. */
export async function readGolden(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(name, FOLDER));
}

if (import.meta.main) {
  for (const [name, text] of await goldenFiles()) {
    await Deno.writeTextFile(new URL(name, FOLDER), text);
  }
}
