// One kind in several versions, as EdgeApplications name it.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { CRD, GROUP, type Manifest, Rig, RIGHT, untilServed, valve } from "./applications_lib.ts";
import { assertNothingDenied } from "../kube/stage.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const V1 = "horizontalpodautoscalers.v1.autoscaling";
const V2 = "horizontalpodautoscalers.v2.autoscaling";
const TARGET = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const SCALERS: Readonly<Record<string, Manifest>> = {
  old: {
    apiVersion: "autoscaling/v1",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "old" },
    spec: { scaleTargetRef: TARGET, maxReplicas: 3, targetCPUUtilizationPercentage: 50 },
  },
  new: {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "new" },
    spec: {
      scaleTargetRef: TARGET,
      maxReplicas: 3,
      metrics: [{
        type: "Resource",
        resource: { name: "memory", target: { type: "AverageValue", averageValue: "1024Mi" } },
      }],
    },
  },
};

Deno.test({
  name: `EdgeApplications name one kind in several versions${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const rig = await Rig.start(site, [CRD, ...RIGHT]);
      const { kubectl } = rig.stage;
      const patch = (kind: string, name: string, change: unknown): Promise<string> =>
        kubectl("patch", kind, name, "--type=merge", `--patch=${JSON.stringify(change)}`);

      const serve = async (...names: readonly string[]): Promise<void> => {
        const versions = CRD.spec.versions.map((one) => ({
          ...one,
          served: names.includes(one.name),
        }));
        await patch("crd", CRD.metadata.name, { spec: { versions } });
        await untilServed(rig.stage, ...names);
      };

      await step("each is made as its manifest says, whatever came first", async () => {
        await rig.apply("old", SCALERS["old"] ?? {}, valve("old", "v1beta1"));
        await rig.available("old");
        await rig.apply("new", SCALERS["new"] ?? {}, valve("new", "v1"));
        await rig.available("new");
        const cpu = ".spec.metrics[0].resource.target.averageUtilization";
        assert.equal(await rig.get(V2, "old", cpu), "50");
        const memory = ".spec.metrics[0].resource.target.averageValue";
        assert.equal(await rig.get(V2, "new", memory), "1Gi");
      });

      await step("what stands is not written again, by another leader either", async () => {
        await rig.anotherHub();
        for (const _ of [1, 2]) for (const name of ["old", "new"]) await rig.reconcile(name);
        // Its 1024Mi is 1Gi: a leader finds out by one write that this is no difference.
        assert.deepEqual(await rig.writes("patch"), ["horizontalpodautoscalers new"]);
        for (const name of ["old", "new"]) await rig.available(name);
      });

      await step("each is healed in its version", async () => {
        await patch(V2, "old", { spec: { maxReplicas: 9, metrics: null } });
        await patch(V1, "new", { spec: { maxReplicas: 9 } });
        await patch("valve", "old", { spec: { open: false } });
        await patch("valve", "new", { spec: { open: false } });
        await until("the number of both is ours", async () =>
          await rig.get("hpa", "old", ".spec.maxReplicas") === "3" &&
          await rig.get("hpa", "new", ".spec.maxReplicas") === "3");
        const cpu = ".spec.targetCPUUtilizationPercentage";
        assert.equal(await rig.get(V1, "old", cpu), "50");
        await until("the valves are open", async () =>
          await rig.get("valve", "old", ".spec.open") === "true" &&
          await rig.get("valve", "new", ".spec.open") === "true");
      });

      await step("a manifest may name another version of what is there", async () => {
        const uid = await rig.get("hpa", "old", ".metadata.uid");
        const { spec } = SCALERS["new"] ?? {};
        const next = { ...SCALERS["old"], apiVersion: "autoscaling/v2", spec };
        await rig.apply("old", next, valve("old", "v1beta1"));
        await until("it scales by memory only", async () =>
          await rig.get(V2, "old", ".spec.metrics[*].resource.name") ===
            "memory");
        assert.equal(await rig.get("hpa", "old", ".metadata.uid"), uid);
      });

      await step("of a version that is served no more is told, and what stands stays", async () => {
        const uid = await rig.get("valve", "old", ".metadata.uid");
        await serve("v1");
        await until("the version is told", async () => {
          await rig.reconcile("old");
          const { conditions } = await rig.status("old");
          assert.equal(conditions[0].reason, "KindNotServed");
          assert.match(
            conditions[0].message,
            /Valve old: Valve is not served in plants\.example\.com\/v1beta1, but in plants\.example\.com\/v1: name that/,
          );
          return true;
        }, 120);
        assert.equal(await rig.get("valve", "old", ".metadata.uid"), uid);
        await rig.available("new");
        await rig.apply("old", valve("old", "v1"));
        await rig.available("old");
        assert.equal(await rig.get("valve", "old", ".metadata.uid"), uid);
        await until("what is wanted no more goes", async () =>
          await rig.get("hpa", "old", ".metadata.uid") === "");
      });

      await step("a kind whose watched version is served no more is watched on", async () => {
        const uid = await rig.get("valve", "new", ".metadata.uid");
        const valves = `valves.v1beta1.${GROUP}`;
        await serve("v1beta1");
        await rig.hub.process.prints(/the kind is served no more.*/, 120);
        await rig.apply("beta", valve("beta", "v1beta1"));
        await rig.available("beta");
        await patch(valves, "beta", { spec: { open: false } });
        await until("it is healed", async () =>
          await rig.get(valves, "beta", ".spec.open") === "true");
        await until("the other version is told", async () => {
          const { conditions } = await rig.status("new");
          return /is not served in plants\.example\.com\/v1,/.test(conditions[0].message);
        }, 120);
        assert.equal(await rig.get(valves, "new", ".metadata.uid"), uid);
      });

      await assertNothingDenied(rig.stage, {});
    }),
});
