/**
 * Writes the tables of `docs/metrics.md` out of what hub and agent show. A test fails when they
 * differ: names are API.
 *
 *     deno run -P=tools tools/metrics.ts
 */
import { addAgentMetrics } from "../agent/process/mod.ts";
import { HubMetrics } from "../cloud/metrics/mod.ts";
import {
  addProcessMetrics,
  type MetricInfo,
  Metrics,
  ms,
  type ServiceState,
  systemClock,
  systemRandom,
} from "../core/base/mod.ts";
import { processUsage } from "../core/parts/mod.ts";
import { openSqliteStore } from "../core/store/mod.ts";

/** Where they are described. */
export const METRICS_DOC = new URL("../docs/metrics.md", import.meta.url);

const SERVICES: readonly ServiceState[] = [
  { name: "a", phase: "ready", restarts: 0, since: ms(0) },
];

/** What a hub shows; one that is its own Kubernetes shows less than one of a cluster. */
export function hubMetrics(kind: "cluster" | "embedded" = "cluster"): MetricInfo[] {
  const counts = new HubMetrics(systemClock);
  if (kind === "cluster") {
    const load = { calls: 0, waiting: 0, watches: 0 };
    const presence = { others: () => [] };
    counts.forCluster().show({ client: { load }, presence, podRequests: () => 0 });
  }
  const hub = { nodes: () => [], streams: 0, unacked: 0, followed: 0, draining: false };
  counts.show({
    hub,
    supervisor: { states: () => [...SERVICES] },
    expiry: () => 0,
  });
  return counts.metrics.list();
}

/** What an agent shows. */
export function agentMetrics(): MetricInfo[] {
  const metrics = new Metrics();
  const usage = processUsage;
  addProcessMetrics(metrics, { part: "agent", version: "", services: () => SERVICES, usage });
  using store = openSqliteStore({ path: ":memory:", clock: systemClock, random: systemRandom });
  addAgentMetrics(metrics, {
    ...{ store, clock: systemClock, stateDir: "/nowhere" },
    streams: () => 0,
    link: () => undefined,
    lastLinked: () => ms(0),
  });
  return metrics.list();
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/_seconds(_total)?$/, "seconds"],
  [/_bytes$/, "bytes"],
  [/_total$/, "count"],
];

function tableOf(metrics: readonly MetricInfo[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => {
    const unit = UNITS.find(([end]) => end.test(name))?.[1] ?? "";
    const own = labels.filter((label) => label !== "le").map((label) => `\`${label}\``);
    return `| \`${name}\` | ${type} | ${unit} | ${own.join(", ")} | ${help} |`;
  });
  return ["| name | type | unit | labels | what it is |", "|---|---|---|---|---|", ...rows]
    .join("\n");
}

/** The tables by their titles in the document. */
export function metricTables(): ReadonlyMap<string, string> {
  const [cluster, embedded, agent] = [hubMetrics(), hubMetrics("embedded"), agentMetrics()];
  const names = (list: readonly MetricInfo[]) => new Set(list.map(({ name }) => name));
  const [inAgent, inHub] = [names(agent), names(embedded)];
  return new Map([
    ["hub", tableOf(embedded.filter(({ name }) => !inAgent.has(name)))],
    ["cluster", tableOf(cluster.filter(({ name }) => !inHub.has(name)))],
    ["agent", tableOf(agent.filter(({ name }) => !inHub.has(name)))],
    ["process", tableOf(agent.filter(({ name }) => inHub.has(name)))],
  ]);
}

/** The document with the tables as they are now, in place of what stands between their marks. */
export function withTables(text: string): string {
  for (const [title, table] of metricTables()) {
    const mark = new RegExp(`(<!-- ${title} -->\n)[^]*?(<!-- /${title} -->)`);
    if (!mark.test(text)) throw new Error(`docs/metrics.md has no place for the table "${title}"`);
    text = text.replace(mark, (_, begin, end) => `${begin}\n${table}\n\n${end}`);
  }
  return text;
}

if (import.meta.main) {
  await Deno.writeTextFile(METRICS_DOC, withTables(await Deno.readTextFile(METRICS_DOC)));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", METRICS_DOC.pathname] })
    .output();
}
