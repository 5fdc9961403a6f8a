import { match, strictEqual, throws } from "node:assert/strict";
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
    services: () => [
      { name: "a", phase: "ready", restarts: 0, since: ms(0) },
      { name: "b", phase: "backing-off", restarts: 4, since: ms(0) },
    ],
  });
  const text = metrics.text();
  match(text, /skerry_service_ready\{service="a"\} 1/);
  match(text, /skerry_service_ready\{service="b"\} 0/);
  match(text, /skerry_service_restarts_total\{service="b"\} 4/);
  strictEqual(text.endsWith("\n"), true);
});
