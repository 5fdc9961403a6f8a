import assert from "node:assert/strict";
import { ms, seconds, VirtualClock } from "../../core/base/mod.ts";
import type { SeenRequest } from "../../core/kube/mod.ts";
import { isRelist, resultOf, verbOf } from "./api_traffic.ts";
import { HubMetrics } from "./hub_metrics.ts";

const SINGLE = "metadata.name=web";

Deno.test("verbOf() and isRelist() tell what a request is", () => {
  const cases: [SeenRequest["call"], string, boolean][] = [
    [{ method: "GET" }, "get", false],
    [{ method: "GET", query: { limit: 500 } }, "list", true],
    [{ method: "GET", query: { limit: 500, continue: "x" } }, "list", false],
    [{ method: "GET", query: { limit: 1 } }, "list", false],
    [{ method: "GET", query: { limit: 500, fieldSelector: SINGLE } }, "list", false],
    [{ method: "GET", query: { watch: true, resourceVersion: "5" } }, "watch", false],
    [{ method: "POST" }, "create", false],
    [{ method: "PATCH", query: { fieldManager: "x" } }, "patch", false],
    [{ method: "DELETE" }, "delete", false],
  ];
  for (const [call, verb, relist] of cases) {
    assert.equal(verbOf(call), verb, JSON.stringify(call));
    assert.equal(isRelist(call), relist, JSON.stringify(call));
  }
});

Deno.test("resultOf() names the classes of answers", () => {
  const classes = [200, 101, 404, 409, 410, 429, 403, 422, 500, 503, undefined].map(resultOf);
  assert.deepEqual(classes, [
    ...["ok", "ok", "not_found", "conflict", "expired", "throttled", "forbidden", "refused"],
    ...["failed", "failed", "no_answer"],
  ]);
});

Deno.test("a hub says that its API server is away after a minute without an answer", async () => {
  const clock = new VirtualClock();
  const counts = new HubMetrics(clock);
  const cluster = counts.forCluster();
  const load = { calls: 2, waiting: 1, watches: 9 };
  cluster.show({ client: { load }, presence: { others: () => [] }, podRequests: () => 3 });
  const call = { method: "GET", query: {} } as const;
  await clock.advance(seconds(59));
  cluster.api.observe({ call, status: 503, took: ms(20) });
  await clock.advance(seconds(59));
  cluster.api.observe({ call, status: undefined, took: seconds(30) });
  await clock.advance(seconds(1));
  cluster.onLeading(true);
  cluster.onReview("failed");
  cluster.onPassed("taken");
  cluster.pods.observe("ok", ms(30));
  cluster.pods.observe("too_many", ms(0));
  const text = counts.metrics.text();
  for (
    const line of [
      'skerry_hub_api_requests_total{verb="get",result="failed"} 1',
      'skerry_hub_api_requests_total{verb="get",result="no_answer"} 1',
      'skerry_hub_api_request_seconds_count{verb="get"} 1',
      "skerry_hub_api_silent_seconds 60",
      "skerry_hub_leader 1",
      "skerry_hub_replicas 1",
      "skerry_hub_watches 9",
      'skerry_hub_webhook_answers_total{result="failed"} 1',
      'skerry_hub_passed_streams_total{role="taken"} 1',
      'skerry_hub_pod_requests_total{result="ok"} 1',
      'skerry_hub_pod_requests_total{result="too_many"} 1',
      // Of those alone that the API server has answered.
      "skerry_hub_pod_request_seconds_count 1",
      "skerry_hub_pod_requests_running 3",
    ]
  ) assert.ok(text.includes(`${line}\n`), line);
});
