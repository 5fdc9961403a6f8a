import assert from "node:assert/strict";
import { parse } from "yaml";
import { agentMetrics, hubMetrics, METRICS_DOC, metricTables } from "./metrics.ts";

const ROOT = new URL("../", import.meta.url);
const DASHBOARD = "charts/skerry/dashboards/skerry-hub.json";
const ALERTS = "charts/skerry/alerts/skerry.yaml";
const RUNBOOKS = "docs/runbooks.md";

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

/** The names of our metrics in a text, and labels that it asks for of each. */
function used(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (
    const [, name = "", matchers = ""] of text.matchAll(/\b((?:skerry|process)_\w+)(\{[^}]*\})?/g)
  ) {
    const labels = found.get(name) ?? new Set();
    for (const [, label = ""] of matchers.matchAll(/(\w+)(?:=~|!=|=)/g)) labels.add(label);
    found.set(name, labels);
  }
  return found;
}

/** The samples that there are, by name, with their labels; a histogram has several. */
function shown(): Map<string, readonly string[]> {
  return new Map(
    [...hubMetrics(), ...agentMetrics()].flatMap(({ name, type, labels }) =>
      type === "histogram"
        ? ["_bucket", "_sum", "_count", ""].map((end) => [`${name}${end}`, labels] as const)
        : [[name, labels] as const]
    ),
  );
}

/** Labels that Prometheus adds. */
const TARGET = new Set(["job", "instance", "namespace"]);

Deno.test.each([DASHBOARD, ALERTS, RUNBOOKS])(
  "%s names only metrics and labels that hub or agent show",
  async (path) => {
    // In JSON the quotes of labels are escaped.
    const text = (await read(path)).replaceAll('\\"', '"');
    const known = shown();
    const names = used(text);
    assert.ok(names.size >= 8);
    for (const [name, labels] of names) {
      const own = known.get(name);
      assert.ok(own, `there is no metric ${name}`);
      for (const label of labels) {
        assert.ok(TARGET.has(label) || own.includes(label), `${name} has no label ${label}`);
      }
    }
  },
);

Deno.test.each([DASHBOARD, ALERTS, RUNBOOKS])(
  "%s asks for values of labels that there are",
  async (path) => {
    const text = (await read(path)).replaceAll('\\"', '"');
    const values = new Set([...hubMetrics(), ...agentMetrics()].flatMap((one) => one.values));
    for (const [, matchers = ""] of text.matchAll(/\b(?:skerry|process)_\w+\{([^}]*)\}/g)) {
      for (const [, label = "", value = ""] of matchers.matchAll(/(\w+)!?="([^"$]+)"/g)) {
        // A service's name comes from whatever runs.
        if (label !== "service") assert.ok(values.has(`${label}=${value}`), `${label}="${value}"`);
      }
    }
  },
);

Deno.test("the dashboard is one of Grafana 11, and every panel of it has its place and query", async () => {
  const { schemaVersion, panels } = JSON.parse(await read(DASHBOARD));
  assert.equal(schemaVersion, 39);
  const ids = new Set(panels.map(({ id }: { id: number }) => id));
  assert.equal(ids.size, panels.length);
  const taken = new Set<string>();
  for (const { title, type, targets, gridPos: { x, y, w, h } } of panels) {
    if (type !== "row") assert.ok(targets.every(({ expr }: { expr: string }) => expr), title);
    for (let cell = 0; cell < w * h; cell++) {
      const place = `${x + cell % w},${y + Math.floor(cell / w)}`;
      assert.ok(x + w <= 24 && !taken.has(place), `${title} overlaps`);
      taken.add(place);
    }
  }
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

Deno.test("every alert has a part in the runbooks, and every part an alert", async () => {
  const { groups } = parse(await read(ALERTS)) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  const text = await read(RUNBOOKS);
  const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(rules.map(({ alert }) => alert), titles);
  for (const { alert, expr, labels, annotations, ...rule } of rules) {
    assert.ok(expr);
    assert.match(rule.for, /^\d+[mh]$/);
    assert.match(labels.severity, /^(critical|warning)$/);
    assert.ok(annotations["summary"] && annotations["description"], alert);
    assert.equal(annotations["runbook_url"], `${RUNBOOKS}#${alert.toLowerCase()}`);
  }
  for (const part of text.split(/^## /m).slice(1)) {
    const words = [...part.matchAll(/^\*\*(\w+(?: at)?)\.\*\*/gm)].map(([, word]) => word);
    assert.deepEqual(words, ["Means", "Look at", "Do"], part.slice(0, 40));
  }
});

Deno.test("the runbooks quote messages that the code logs", async () => {
  const sources: string[] = [];
  const collect = async (folder: URL): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await collect(new URL(`${name}/`, folder));
      else if (/(?<!_test)\.ts$/.test(name)) {
        sources.push(await Deno.readTextFile(new URL(name, folder)));
      }
    }
  };
  for (const folder of ["agent/", "cloud/", "core/"]) await collect(new URL(folder, ROOT));
  const quoted = [...(await read(RUNBOOKS)).matchAll(/`("[^"`]+")`/g)].map(([, text]) =>
    text ?? ""
  );
  assert.ok(quoted.length > 10);
  for (const text of quoted) {
    assert.ok(sources.some((source) => source.includes(text)), `nobody logs ${text}`);
  }
});

Deno.test("docs/metrics.md describes every metric as it is", async () => {
  const cells = (text: string): string[] =>
    text.split("\n").filter((line) => line.startsWith("|") && !/^\| ?-/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()).join("|"));
  const text = await Deno.readTextFile(METRICS_DOC);
  for (const [title, table] of metricTables()) {
    const part = text.slice(text.indexOf(`<!-- ${title} -->`), text.indexOf(`<!-- /${title} -->`));
    assert.deepEqual(
      cells(part),
      cells(table),
      "write it anew: deno run -P=tools tools/metrics.ts",
    );
  }
});

Deno.test("metrics have names as Prometheus wants them", () => {
  for (const { name, type, help } of [...hubMetrics(), ...agentMetrics()]) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_(ms|millis|kib|mib|percent)(_|$)/);
    assert.match(help, /^[A-Z0-9].*\.$/, name);
  }
});
