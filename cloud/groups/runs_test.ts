import assert from "node:assert/strict";
import { type EdgeApplication, type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import type { KindFinder } from "../../core/kube/mod.ts";
import { until } from "../until_test_helper.ts";
import { application, type Harness, job, JOBS, withGroups } from "./harness_test_helper.ts";
import { endOf, isOtherRun, RUN, runOf, withRun } from "./runs.ts";

const { edgeapplications, pods } = RESOURCES;

const pod = (restartPolicy?: string, image = "tool:1"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "once" },
  spec: {
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    containers: [{ name: "main", image }],
  },
});

Deno.test("runOf() is of what runs to an end, and not of how long it is kept", () => {
  const run = runOf(job());
  assert.match(run ?? "", /^[0-9a-f]{64}$/);
  assert.equal(runOf(job({ ttlSecondsAfterFinished: 9 })), run);
  assert.equal(runOf(job({}, "other")), run);
  assert.notEqual(runOf(job({ backoffLimit: 3 })), run);
  const { containers, restartPolicy } = pod("Never").spec ?? {};
  assert.equal(runOf({ ...pod(), spec: { containers, restartPolicy } }), runOf(pod("Never")));
  for (const endless of [pod(), pod("Always"), { ...job(), apiVersion: "other.example.com/v1" }]) {
    assert.equal(runOf(endless), undefined);
  }
});

Deno.test.each<[string, KubeObject, unknown, string | undefined]>([
  ["a Job that is complete", job(), { conditions: [condition("Complete")] }, "Complete"],
  ["a Job that failed", job(), { conditions: [condition("Failed")] }, "Failed"],
  ["a Job that will fail", job(), { conditions: [condition("FailureTarget")] }, undefined],
  ["a Job that runs", job(), { active: 1 }, undefined],
  ["a Job of which nothing is known", job(), undefined, undefined],
  ["a Pod that succeeded", pod("Never"), { phase: "Succeeded" }, "Complete"],
  ["a Pod that failed", pod("Never"), { phase: "Failed" }, "Failed"],
  ["a Pod that was evicted", pod("Never"), { phase: "Failed", reason: "Evicted" }, undefined],
  ["a Pod whose node went", pod("Never"), {
    phase: "Failed",
    conditions: [condition("DisruptionTarget")],
  }, undefined],
  ["a Pod that runs", pod("Never"), { phase: "Running" }, undefined],
])("endOf() of %s", (_what, object, status, result) => {
  assert.equal(endOf({ ...object, status } as KubeObject)?.result, result);
});

function condition(type: string) {
  return { type, status: "True", message: "why" };
}

Deno.test("isOtherRun() is only what has ended, and is known to be another", () => {
  const ended = { ...job(), status: { conditions: [condition("Complete")] } } as KubeObject;
  const want = withRun(job(), "b");
  assert.equal(isOtherRun(want, withRun(ended, "a")), true);
  assert.equal(isOtherRun(want, withRun(ended, "b")), false);
  assert.equal(isOtherRun(want, ended), false, "nobody knows what it ran");
  assert.equal(isOtherRun(want, withRun(job(), "a")), false, "it runs");
});

const kinds: KindFinder = {
  find: (apiVersion, kind) =>
    Promise.resolve(apiVersion === "batch/v1" && kind === "Job" ? JOBS : undefined),
  prefer: (group, kind) => Promise.resolve(group === "batch" && kind === "Job" ? JOBS : undefined),
};

const SCOPE = { targetNodeGroups: [{ name: "a" }] };

async function apply({ create, change, find }: Harness, manifest: KubeObject): Promise<void> {
  const spec = {
    workloadTemplate: { manifests: [manifest as unknown as Record<string, unknown>] },
    workloadScope: SCOPE,
  };
  if (!await find(edgeapplications, "app")) await create(edgeapplications, application(spec));
  else await change(edgeapplications, "app", (app) => ({ ...app, spec }));
}

/** {@linkcode apply}, and waits until the application was looked at with it. */
async function applied(harness: Harness, manifest: KubeObject): Promise<void> {
  await apply(harness, manifest);
  const find = () => harness.find<EdgeApplication>(edgeapplications, "app");
  const generation = (await find())?.metadata.generation;
  await until(async () =>
    (await find())?.status?.conditions?.[0]?.observedGeneration === generation
  );
}

/** The result and the message that an application's status has. */
async function told({ find }: Harness): Promise<(string | undefined)[]> {
  const { status } = await find<EdgeApplication>(edgeapplications, "app") ?? {};
  return [status?.finished?.[0]?.result, status?.workloadStatus?.[0]?.message];
}

const end = (type: string) => (object: KubeObject): KubeObject => ({
  ...object,
  status: { conditions: [condition(type)] },
});

Deno.test("a Job that has ended is not made anew when it is gone, unless its manifest is another", () =>
  withGroups(async (harness) => {
    const { change, find, remove } = harness;
    const there = () => find(JOBS, "once-a");
    const uid = async () => (await there())?.metadata.uid;
    await apply(harness, job({ ttlSecondsAfterFinished: 5 }));
    await until(async () => await uid() !== undefined);
    const first = await uid();
    // Gone before its end: nobody knows whether it ran.
    await remove(JOBS, "once-a");
    await until(async () => ![first, undefined].includes(await uid()));

    assert.equal((await there())?.spec?.ttlSecondsAfterFinished, undefined, "it has not ended");
    await change(JOBS, "once-a", end("Failed"), "status");
    await until(async () => (await told(harness)).join() === "Failed,the job failed: why");
    await until(async () => (await there())?.spec?.ttlSecondsAfterFinished === 5);
    await remove(JOBS, "once-a");
    await applied(harness, job({ ttlSecondsAfterFinished: 6 }));
    assert.equal(await there(), undefined);
    assert.deepEqual(await told(harness), ["Failed", "the job failed: why"]);

    await apply(harness, job({ backoffLimit: 1 }));
    await until(async () => await uid() !== undefined);
    await until(async () => (await told(harness))[0] === undefined);
  }, { kinds }));

Deno.test("a Job that has ended and stands makes room for another manifest, and not before its end", () =>
  withGroups(async (harness) => {
    const { change, find } = harness;
    const uid = async () => (await find(JOBS, "once-a"))?.metadata.uid;
    await apply(harness, job());
    await until(async () => await uid() !== undefined);
    const first = await uid();
    await change(JOBS, "once-a", end("Complete"), "status");
    await until(async () => (await told(harness))[0] === "Complete");
    await apply(harness, job({ backoffLimit: 1 }));
    await until(async () => ![first, undefined].includes(await uid()));
    const run = (await find(JOBS, "once-a"))?.metadata.annotations?.[RUN];
    assert.equal(run, runOf(job({ backoffLimit: 1 })));
  }, { kinds }));

Deno.test("a slip in a manifest does not make forget what has run", () =>
  withGroups(async (harness) => {
    const { change, find, remove } = harness;
    await apply(harness, job());
    await until(async () => await find(JOBS, "once-a") !== undefined);
    await change(JOBS, "once-a", end("Complete"), "status");
    await until(async () => (await told(harness))[0] === "Complete");
    await apply(harness, { ...job(), kind: "Jop" });
    await until(async () => /Jop of batch\/v1 cannot be part/.test((await told(harness))[1] ?? ""));
    assert.ok(await find(JOBS, "once-a"), "what a slip does not name any more stays");
    await remove(JOBS, "once-a");
    await apply(harness, job());
    await until(async () => (await told(harness))[1] === undefined);
    assert.equal(await find(JOBS, "once-a"), undefined);
  }, { kinds }));

Deno.test("a Pod that has run to its end is not made anew", () =>
  withGroups(async (harness) => {
    const { change, find, remove } = harness;
    await apply(harness, pod("Never"));
    await until(async () => await find(pods, "once-a") !== undefined);
    await change(pods, "once-a", (object) => ({
      ...object,
      status: { phase: "Succeeded" },
    }), "status");
    await until(async () => (await told(harness))[0] === "Complete");
    await remove(pods, "once-a");
    await applied(harness, { ...pod("Never"), metadata: { name: "once", labels: { new: "one" } } });
    assert.equal(await find(pods, "once-a"), undefined);
    await apply(harness, pod("Never", "tool:2"));
    await until(async () => await find(pods, "once-a") !== undefined);
  }));
