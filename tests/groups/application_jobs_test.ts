// Jobs of EdgeApplications that have run to their end.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { shellSpec, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { type Manifest, Rig } from "./applications_lib.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** A Job whose pods no node runs. */
function job(name: string, spec: Record<string, unknown>, note = "a"): Manifest {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: {
      template: {
        metadata: { annotations: { note } },
        spec: { ...shellSpec("true"), restartPolicy: "Never" },
      },
      ...spec,
    },
  };
}

Deno.test({
  name: `a Job of an EdgeApplication that has run to its end does not run again${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const rig = await Rig.start(site);
      const { kubectl } = rig.stage;
      await rig.stage.cluster.untilPodsCanBeMade("default");
      const made = async (name: string): Promise<number> =>
        (await rig.writes("create")).filter((one) => one === `jobs ${name}`).length;
      const uid = (name: string): Promise<string> => rig.get("job", name, ".metadata.uid");
      const results = async (): Promise<Record<string, string>> => {
        const all: { name: string; result: string }[] = (await rig.status("jobs")).finished ?? [];
        return Object.fromEntries(all.map(({ name, result }) => [name, result]));
      };
      const ttl = { ttlSecondsAfterFinished: 1 };
      const jobs = (note: string) => [
        // Nothing to run is run at once.
        job("good", { ...ttl, completions: 0 }, note),
        job("bad", { ...ttl, activeDeadlineSeconds: 1 }),
        job("slow", ttl),
      ];

      await step("it goes when its time is over, and is not made anew", async () => {
        await rig.apply("jobs", ...jobs("a"));
        await until("two have ended and are gone", async () => {
          assert.deepEqual(await results(), { "good-plant": "Complete", "bad-plant": "Failed" });
          return await uid("good-plant") === "" && await uid("bad-plant") === "";
        }, 120);
        for (const _ of [1, 2, 3]) await rig.reconcile("jobs");
        assert.deepEqual([await made("good-plant"), await made("bad-plant")], [1, 1]);
        await until("all are told", async () => {
          const { workloadStatus } = await rig.status("jobs");
          const [good, bad, slow] = workloadStatus;
          assert.equal(good.conditions, "Available");
          assert.match(
            bad.message,
            /^the job failed: Job was active longer than specified deadline/,
          );
          assert.match(slow.message, /^the job is not complete/);
          return true;
        });
      });

      await step("one that is deleted before its end is made anew", async () => {
        const before = await uid("slow-plant");
        await kubectl("delete", "job", "slow-plant");
        await until(
          "there is another",
          async () => ![before, ""].includes(await uid("slow-plant")),
        );
      });

      await step("one that ends while no hub runs is remembered by the next", async () => {
        await rig.hub.process.kill();
        const last = await uid("slow-plant");
        const patch = '--patch={"spec":{"activeDeadlineSeconds":1}}';
        await kubectl("patch", "job", "slow-plant", "--type=merge", patch);
        await kubectl("wait", "job/slow-plant", "--for=condition=Failed", "--timeout=60s");
        assert.equal(await rig.get("job", "slow-plant", ".spec.ttlSecondsAfterFinished"), "");
        assert.equal(await uid("slow-plant"), last);
        const before = await made("slow-plant");
        rig.hub = await rig.stage.hub();
        await until(
          "it is remembered and gone",
          async () =>
            (await results())["slow-plant"] === "Failed" && await uid("slow-plant") === "",
          120,
        );
        for (const _ of [1, 2, 3]) await rig.reconcile("jobs");
        assert.deepEqual(
          [await made("good-plant"), await made("bad-plant"), await made("slow-plant")],
          [1, 1, before],
        );
      });

      await step("a manifest that is another runs", async () => {
        await rig.apply("jobs", ...jobs("b"));
        await until("it runs", async () => await made("good-plant") === 2);
        await until(
          "it is gone again",
          async () =>
            (await results())["good-plant"] === "Complete" && await uid("good-plant") === "",
        );
        await rig.reconcile("jobs");
        assert.deepEqual([await made("good-plant"), await made("bad-plant")], [2, 1]);
      });

      await step("one that is kept after its end makes room for another manifest", async () => {
        const kept = (note: string) => job("kept", { completions: 0 }, note);
        await rig.apply("kept", kept("a"));
        await rig.available("kept");
        await until("it is remembered", async () => (await rig.status("kept")).finished?.length);
        const before = await uid("kept-plant");
        await rig.apply("kept", kept("b"));
        await until(
          "there is another",
          async () => ![before, ""].includes(await uid("kept-plant")),
        );
        await rig.available("kept");
        assert.equal(await made("kept-plant"), 2);
      });

      await step(
        "where its end cannot be written down it stays, and the log says why",
        async () => {
          const path =
            "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/finished";
          const crd = "edgeapplications.apps.kubeedge.io";
          const change = JSON.stringify([{ op: "remove", path }]);
          await kubectl("patch", "crd", crd, "--type=json", `--patch=${change}`);
          await rig.apply("late", job("late", { ...ttl, completions: 0 }));
          await rig.hub.process.prints(/drops status\.finished.*/, 120);
          for (const _ of [1, 2]) await rig.reconcile("late");
          assert.equal(await made("late-plant"), 1);
          assert.equal(await rig.get("job", "late-plant", ".spec.ttlSecondsAfterFinished"), "");
        },
      );
    }),
});
