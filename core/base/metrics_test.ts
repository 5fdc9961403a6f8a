import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { addProcessMetrics, Metrics } from "./metrics.ts";
import { ms } from "./units.ts";

Deno.test("Metrics.text() shows counters from zero and gauges as they are now", () => {
  const metrics = new Metrics();
  const sent = metrics.counter("skerry_sent_total", "Sent.", [{ kind: "put" }]);
  let depth = 3;
  metrics.gauge("skerry_depth", "Depth.", () => [{ value: depth }]);
  match(metrics.text(), /skerry_sent_total\{kind="put"\} 0\n/);
  sent.add(2, { kind: "put" });
  sent.add(1, { kind: 'odd"\n' });
  depth = 5;
  const text = metrics.text();
  match(text, /# TYPE skerry_sent_total counter\nskerry_sent_total\{kind="put"\} 2\n/);
  match(text, /kind="odd\\"\\n"\} 1\n/);
  match(text, /# TYPE skerry_depth gauge\nskerry_depth 5\n/);
});

Deno.test("Metrics.histogram() counts a value in every bucket that it fits in", () => {
  const metrics = new Metrics();
  const known = [{ method: "GET" }];
  const took = metrics.histogram("skerry_took_seconds", "Took.", { bounds: [0.1, 1], known });
  match(metrics.text(), /skerry_took_seconds_bucket\{method="GET",le="\+Inf"\} 0\n/);
  for (const value of [0.1, 0.5, 7]) took.observe(value, { method: "GET" });
  strictEqual(
    metrics.text(),
    `# HELP skerry_took_seconds Took.
# TYPE skerry_took_seconds histogram
skerry_took_seconds_bucket{method="GET",le="0.1"} 1
skerry_took_seconds_bucket{method="GET",le="1"} 2
skerry_took_seconds_bucket{method="GET",le="+Inf"} 3
skerry_took_seconds_sum{method="GET"} 7.6
skerry_took_seconds_count{method="GET"} 3
`,
  );
});

Deno.test("Metrics.list() names every metric with the labels that it has", () => {
  const metrics = new Metrics();
  metrics.kept("skerry_a_total", "A.", () => [{ value: 1, labels: { kind: "x" } }]);
  metrics.gauge("skerry_b", "B.", () => [{ value: 1 }]);
  deepStrictEqual(metrics.list(), [
    { name: "skerry_a_total", type: "counter", help: "A.", labels: ["kind"], values: ["kind=x"] },
    { name: "skerry_b", type: "gauge", help: "B.", labels: [], values: [] },
  ]);
});

Deno.test("Metrics refuses a name twice and names that Prometheus cannot read", () => {
  const metrics = new Metrics();
  metrics.counter("skerry_a_total", "A.");
  throws(() => metrics.counter("skerry_a_total", "A."), /twice/);
  throws(() => metrics.counter("skerry-a", "A."), /Cannot name/);
});

Deno.test("addProcessMetrics() shows every service", () => {
  const metrics = new Metrics();
  addProcessMetrics(metrics, {
    part: "hub",
    version: "1",
    usage: () => ({ cpuSeconds: 1.5, memory: 1000, heap: 10, startedAt: 5 }),
    services: () => [
      { name: "a", phase: "ready", restarts: 0, since: ms(0) },
      { name: "b", phase: "backing-off", restarts: 4, since: ms(0) },
    ],
  });
  const text = metrics.text();
  match(text, /skerry_service_ready\{service="a"\} 1/);
  match(text, /skerry_service_ready\{service="b"\} 0/);
  match(text, /skerry_service_restarts_total\{service="b"\} 4/);
  match(text, /# TYPE skerry_service_restarts_total counter\n/);
  match(text, /process_cpu_seconds_total 1.5\n/);
  strictEqual(text.endsWith("\n"), true);
});
