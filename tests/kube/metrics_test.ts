import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";
import { HollowNode, joinHollow } from "./hollow_node.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `a hub of a real cluster shows how it stands, also when that is away${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const hub = await site.hubOn(cluster.parts.kubeconfig);
      const ask = async (path: string): Promise<string> => {
        const response = await fetch(`http://127.0.0.1:${site.port("hub-metrics")}${path}`);
        return `${response.status} ${await response.text()}`;
      };
      const value = async (sample: string): Promise<number> => {
        const line = (await ask("/metrics")).split("\n").find((one) =>
          one.startsWith(`${sample} `)
        );
        assert.ok(line, `there is no ${sample}`);
        return Number(line.slice(sample.length));
      };

      await step("it is ready, leads, and counts what it asks", async () => {
        await until("it is ready", async () => await ask("/readyz") === "200 ok\n");
        await until("it leads", async () => await value("skerry_hub_leader") === 1);
        assert.equal(await value("skerry_hub_replicas"), 1);
        for (
          const sample of [
            "skerry_hub_watches",
            "skerry_hub_relists_total",
            'skerry_hub_api_requests_total{verb="list",result="ok"}',
          ]
        ) {
          await until(`${sample} counts`, async () => await value(sample) >= 8);
        }
        assert.ok(await value("skerry_hub_api_silent_seconds") < 30);
        const left = await value("skerry_hub_certificate_expiry_timestamp_seconds") -
          await value("process_start_time_seconds");
        assert.ok(Math.abs(left - 90 * 86400) < 3600, String(left));
      });

      await step("it counts a node's session, intents and Lease", async () => {
        const name = "hollow";
        const address = `127.0.0.1:${hub.nodePort}`;
        const token = await site.token(hub, name);
        const identity = await joinHollow({
          ...{ name, hub: address, token },
          folder: `${site.folder}/${name}`,
        });
        site.hold(HollowNode.start({ name, hub: address, identity }));
        await until("it is connected", async () => await value("skerry_hub_connected_nodes") === 1);
        const applied = 'skerry_hub_intents_total{kind="node",outcome="applied"}';
        await until("its Node is written", async () => await value(applied) > 0);
        const renewed = 'skerry_hub_lease_renewals_total{result="done"}';
        await until("its Lease is renewed", async () => await value(renewed) > 0);
        assert.ok(await value("skerry_hub_lease_oldest_seconds") < 15);
        assert.ok(await value("skerry_hub_intent_seconds_count") > 0);
        assert.doesNotMatch(await ask("/metrics"), /hollow/);
      });

      await step(
        "it stays ready while its API server is away, and shows for how long",
        async () => {
          await cluster.parts.stop("apiserver");
          const silent = async (): Promise<number> => await value("skerry_hub_api_silent_seconds");
          await until("it is silent", async () => await silent() > 15, 60);
          assert.equal(await ask("/readyz"), "200 ok\n");
          assert.match(await ask("/healthz"), /^200/);
          assert.equal(await value("skerry_hub_connected_nodes"), 1, "the link stays");
          const failed = 'skerry_hub_lease_renewals_total{result="failed"}';
          await until("a Lease could not be renewed", async () => await value(failed) > 0);
          await cluster.parts.start("apiserver");
          await until("it is heard", async () => await silent() < 5);
        },
      );
    }),
});
