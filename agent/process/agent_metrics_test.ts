import assert from "node:assert/strict";
import { Metrics, minutes, seconds, seededRandom, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { Outbox } from "../../core/sync/mod.ts";
import { addAgentMetrics } from "./agent_metrics.ts";

Deno.test("addAgentMetrics() shows what waits for the hub, for how long, and what it takes", async () => {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const stateDir = await Deno.makeTempDir();
  try {
    using store = openSqliteStore({ path: `${stateDir}/agent.db`, clock, random });
    const outbox = new Outbox({ store, clock, random });
    const link = { outbox, uncommitted: 4, state: { connected: false, since: clock.now() } };
    const metrics = new Metrics();
    addAgentMetrics(metrics, {
      ...{ store, clock, stateDir },
      streams: () => 2,
      link: () => link,
      lastLinked: () => minutes(1),
    });
    const value = (sample: string): number => {
      const line = metrics.text().split("\n").find((one) => one.startsWith(`${sample} `)) ?? "";
      return Number(line.split(" ")[1] ?? Number.NaN);
    };
    assert.equal(value("skerry_agent_outbox_rows"), 0);
    assert.equal(value("skerry_agent_outbox_oldest_seconds"), 0);
    await clock.advance(minutes(5));
    for (const name of ["a", "b", "a"]) {
      store.transact((tx) => outbox.enqueue(tx, { key: `event/${name}`, kind: "event", body: {} }));
      await clock.advance(seconds(90));
    }
    assert.equal(value("skerry_agent_outbox_rows"), 2, "a newer one takes the place of an older");
    assert.equal(value("skerry_agent_outbox_oldest_seconds"), 180);
    assert.equal(value("skerry_agent_offline_seconds"), 510);
    link.state.connected = true;
    assert.equal(value("skerry_agent_offline_seconds"), 0);
    assert.equal(value("skerry_agent_link_up"), 1);
    assert.equal(value("skerry_agent_uncommitted_messages"), 4);
    assert.equal(value("skerry_agent_tokens"), 0);
    assert.ok(value('skerry_agent_state_bytes{what="store"}') > 4096);
    assert.equal(value('skerry_agent_state_bytes{what="modules"}'), 0);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
