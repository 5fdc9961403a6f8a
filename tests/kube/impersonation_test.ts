// A server that knows no constrained impersonation, as before Kubernetes 1.36.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { partCommand, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { accountKubeconfig, applyRights } from "./chart.ts";
import {
  attachmentObject,
  claimObjects,
  claimVolume,
  untilClaimsAreRead,
} from "./claim_objects.ts";
import { joinGateway } from "./gateway.ts";
import { assertNothingDenied, stageOf } from "./stage.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const WITHOUT = "ConstrainedImpersonation=false";

Deno.test({
  name: `without constrained impersonation a hub says so, and works in the legacy way${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const legacy = ["--impersonation=legacy", "--applications=off"];
      const stage = await stageOf(site, ["--set=impersonation=legacy"], legacy, WITHOUT);
      const { cluster } = stage;
      const account = await accountKubeconfig(cluster, site.folder);
      const apply = (mode: string) => applyRights(cluster, [`--set=impersonation=${mode}`]);

      await step(
        "with the rights of the other way it does not begin, and says what to do",
        async () => {
          await apply("constrained");
          const flags = [`--kubeconfig=${account}`, "--impersonation=constrained"];
          const hub = site.start("hub", partCommand("hub", site.hubFlags(flags)));
          await hub.prints(/does not let this hub be its nodes .*cannot .*--impersonation=legacy/);
          assert.doesNotMatch(hub.output, /hub is ready/);
          await hub.kill();
        },
      );

      await step("an administrator's hub finds the way by itself", async () => {
        const hub = await site.hubOn(cluster.parts.kubeconfig);
        assert.match(hub.process.output, /"impersonation":"legacy"/);
        hub.process.signal("SIGTERM");
        assert.equal(await hub.process.exit(60), 0);
      });

      await step(
        "with the chart's rights for it a gateway joins, and nothing is denied",
        async () => {
          await apply("legacy");
          // What it was denied until now.
          const log = `${cluster.parts.dir}/audit.log`;
          const denied = (await Deno.readTextFile(log)).length;
          const hub = await stage.hub();
          const api = await site.client(hub.kubeconfig);
          await joinGateway(site, { name: "gw1", hub, api });
          const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/gw1";
          const first = await until(
            "it has a Lease",
            () => api.request("GET", lease).catch(() => undefined),
          );
          await until("the Lease is renewed", async () => {
            const { spec } = await api.request("GET", lease);
            return spec.renewTime !== first.spec.renewTime;
          });
          await cluster.untilPodsCanBeMade("default");
          const objects = [...claimObjects("data"), attachmentObject("data", "gw1")];
          await site.apply(hub.kubeconfig, ...objects);
          const spec = { ...claimVolume("data"), nodeName: "gw1" };
          await site.apply(hub.kubeconfig, shellPod("claimed", "sleep 1000", spec));
          await untilClaimsAreRead(stage);
          const expected = /no relationship found between node 'gw1'/;
          await assertNothingDenied(stage, { from: denied, expected });
        },
      );
    }),
});
