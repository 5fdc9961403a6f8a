// What the chart renders, judged by a real API server: its fields, and Pod Security "restricted".
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { Site, stepsOf } from "../e2e/gateway_lib.ts";
import { renderChart, type Rendered } from "./chart.ts";
import { TestCluster } from "./cluster.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NAMESPACE = "skerry-system";
const ALL = `--values=${
  new URL("../../packaging/chart/all.values.yaml", import.meta.url).pathname
}`;

/** The pod that the Deployment makes. */
function podOf(objects: readonly Rendered[]): Rendered {
  const deployment = objects.find(({ kind }) => kind === "Deployment");
  const { metadata, spec } = deployment?.["spec"].template;
  const name = "hub";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name, namespace: NAMESPACE },
    spec,
  };
}

Deno.test({
  name: `an API server takes what the chart renders, and its pod is "restricted"${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      const { kubeconfig } = cluster.parts;
      const labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
      };
      await cluster.apply({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: NAMESPACE, labels },
      });
      await cluster.untilPodsCanBeMade(NAMESPACE);
      const account = { name: "skerry-hub", namespace: NAMESPACE };
      await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: account });
      const dryRun = (...objects: readonly unknown[]) =>
        site.tryKubectl(
          kubeconfig,
          ["create", "--dry-run=server", "--validate=strict", "-f", "-"],
          { stdin: objects.map((object) => JSON.stringify(object)).join("\n") },
        );

      for (const [name, args] of [["defaults", []], ["all values", [ALL]]] as const) {
        const objects = await renderChart([...args]);
        await step(`with ${name}: every field is known and every value taken`, async () => {
          // A test cluster has no Prometheus operator.
          const known = objects.filter(({ apiVersion, kind }) =>
            !apiVersion.startsWith("monitoring.") && kind !== "ServiceAccount"
          );
          assert.ok(known.length >= 8);
          const { code, err } = await dryRun(...known);
          assert.equal(code, 0, err);
          assert.doesNotMatch(err, /Warning/);
        });

        await step(`with ${name}: its pod is let into a restricted namespace`, async () => {
          const { code, err } = await dryRun(podOf(objects));
          assert.equal(code, 0, err);
        });
      }

      await step("the namespace lets in no pod that asks for more", async () => {
        const pod = podOf(await renderChart());
        const { securityContext: _, ...container } = pod["spec"].containers[0];
        const { code, err } = await dryRun({
          ...pod,
          spec: { ...pod["spec"], containers: [container] },
        });
        assert.notEqual(code, 0);
        assert.match(err, /violates PodSecurity "restricted:latest": allowPrivilegeEscalation/);
      });
    }),
});
