import assert from "node:assert/strict";
import {
  ms,
  seconds,
  silentLogger,
  Supervisor,
  systemRandom,
  VirtualClock,
} from "../../core/base/mod.ts";
import { CLOSE } from "../../core/link/mod.ts";
import { makePki } from "../../core/http/testing.ts";
import { expiryOf } from "./expiry.ts";
import { HubMetrics } from "./hub_metrics.ts";

function value(counts: HubMetrics, sample: string): number | undefined {
  const line = counts.metrics.text().split("\n").find((one) => one.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

Deno.test("HubMetrics counts sessions, intents and leases, and never by a node's name", async () => {
  const clock = new VirtualClock();
  const counts = new HubMetrics(clock);
  assert.equal(value(counts, 'skerry_hub_sessions_ended_total{reason="shut_out"}'), 0);
  counts.sessionBegan();
  counts.sessionEnded(CLOSE.shutOut);
  counts.sessionEnded(3999);
  counts.intent("pod-status", "applied", ms(30));
  counts.intent("made-up", "refused", ms(30));
  assert.equal(value(counts, "skerry_hub_sessions_begun_total"), 1);
  assert.equal(value(counts, 'skerry_hub_sessions_ended_total{reason="shut_out"}'), 1);
  assert.equal(value(counts, 'skerry_hub_sessions_ended_total{reason="other"}'), 1);
  const intents = (kind: string, outcome: string) =>
    value(counts, `skerry_hub_intents_total{kind="${kind}",outcome="${outcome}"}`);
  assert.equal(intents("pod-status", "applied"), 1);
  assert.equal(intents("other", "refused"), 1);
  assert.equal(intents("made-up", "refused"), undefined, "what a node writes is no label");
  assert.equal(value(counts, 'skerry_hub_intent_seconds_bucket{le="0.05"}'), 2);

  const { server } = await makePki();
  const hub = { nodes: () => [], streams: 3, unacked: 5, followed: 7, draining: true };
  const supervisor = new Supervisor({ clock, random: systemRandom, log: silentLogger });
  counts.show({ hub, supervisor, expiry: expiryOf(() => server) });
  const renewed = new Map([["far-away-node", clock.monotonic()]]);
  counts.renewing(renewed);
  counts.renewals({ done: 1, failed: 2 });
  await clock.advance(seconds(12));
  renewed.set("another", clock.monotonic());
  assert.equal(value(counts, "skerry_hub_lease_oldest_seconds"), 12);
  assert.equal(value(counts, 'skerry_hub_lease_renewals_total{result="failed"}'), 2);
  assert.equal(value(counts, "skerry_hub_unacked_messages"), 5);
  assert.equal(value(counts, "skerry_hub_draining"), 1);
  const expires = value(counts, "skerry_hub_certificate_expiry_timestamp_seconds") ?? 0;
  assert.ok(expires > performance.timeOrigin / 1000);
  assert.doesNotMatch(counts.metrics.text(), /far-away-node|another/);
});

Deno.test("HubMetrics counts kubelet calls by what was asked, and tokens", async () => {
  const counts = new HubMetrics(new VirtualClock());
  const handler = counts.countCalls((request) => {
    if (request.url.endsWith("/exec/a/b/c")) throw new Error("broken");
    return Promise.resolve(new Response("", { status: request.url.includes("/x") ? 404 : 200 }));
  });
  const signal = new AbortController().signal;
  const ask = (path: string) => handler(new Request(`https://hub${path}`), { signal });
  await ask("/containerLogs/a/b/c?follow=true");
  await ask("/x/constructor");
  await assert.rejects(ask("/exec/a/b/c"), /broken/);
  const calls = (verb: string, result: string) =>
    value(counts, `skerry_hub_kubelet_calls_total{verb="${verb}",result="${result}"}`);
  assert.equal(calls("logs", "ok"), 1);
  assert.equal(calls("other", "refused"), 1);
  assert.equal(calls("exec", "failed"), 1);

  const issue = counts.countTokens((good: boolean) =>
    good ? Promise.resolve("token") : Promise.reject(new Error("no"))
  );
  assert.equal(await issue(true), "token");
  await assert.rejects(issue(false));
  assert.equal(value(counts, 'skerry_hub_tokens_total{result="issued"}'), 1);
  assert.equal(value(counts, 'skerry_hub_tokens_total{result="failed"}'), 1);
});
