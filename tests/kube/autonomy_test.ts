import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { Site } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const LOST = /^node\.kubernetes\.io\/(not-ready|unreachable)$/;

Deno.test({
  name: `pods that ask for it are not evicted from lost nodes, hub or no hub${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      await cluster.untilPodsCanBeMade("default");
      const port = site.port("webhook");
      const { kubeconfig } = cluster.parts;
      const api = await site.client(kubeconfig);
      await site.apply(kubeconfig, configuration(`https://127.0.0.1:${port}/mutate/pods`));
      const hub = await site.hubOn(kubeconfig);
      const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/skerry-hub";
      await until("the hub has told its CA", async () => {
        const { webhooks } = await api.request("GET", path);
        return webhooks[0].clientConfig.caBundle;
      });
      let count = 0;
      const seconds = async (labels: Record<string, string>): Promise<unknown[]> => {
        const pod: Pod = await api.request("POST", "/api/v1/namespaces/default/pods", {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: `pod-${count++}`, labels },
          spec: { schedulerName: "nobody", containers: [{ name: "main", image: "none" }] },
        });
        return (pod.spec.tolerations ?? []).filter(({ key }) => LOST.test(key ?? ""))
          .map(({ tolerationSeconds }) => tolerationSeconds);
      };
      const autonomous = { "app-offline.kubeedge.io": "autonomy" };
      // The API server takes a moment to see a new configuration.
      await until("it is asked", async () => (await seconds(autonomous))[0] === undefined);
      assert.deepEqual(await seconds(autonomous), [undefined, undefined]);
      assert.deepEqual(await seconds({}), [300, 300]);
      await hub.process.kill();
      assert.deepEqual(await seconds(autonomous), [300, 300]);
    }),
});

/** As the chart makes it, but for the address, and the time for a busy machine. */
function configuration(url: string): unknown {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "skerry-hub" },
    webhooks: [{
      name: "pods.skerry.dev",
      clientConfig: { url },
      rules: [{
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE"],
        resources: ["pods"],
      }],
      objectSelector: { matchLabels: { "app-offline.kubeedge.io": "autonomy" } },
      failurePolicy: "Ignore",
      timeoutSeconds: 20,
      sideEffects: "None",
      reinvocationPolicy: "IfNeeded",
      admissionReviewVersions: ["v1"],
    }],
  };
}
