import assert from "node:assert/strict";
import {
  customProblems,
  type EdgeApplication,
  type KubeObject,
  pruneCustom,
  RESOURCES,
} from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import { controllerRef } from "../../core/control/mod.ts";
import { until } from "../until_test_helper.ts";
import { application, deployment, type Harness, JOBS, withGroups } from "./harness_test_helper.ts";
import { BELONGING_TO } from "../../core/api/mod.ts";

const { configmaps, deployments, edgeapplications, nodegroups, services } = RESOURCES;

const CONFIG = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings" },
  data: { a: "1" },
};
const groups = (...names: string[]) => ({ targetNodeGroups: names.map((name) => ({ name })) });

async function namesOf({ store }: Harness): Promise<string[]> {
  const { items } = await store.list(deployments);
  return items.map(({ metadata }) => metadata.name);
}

/** `Kind name reason` of everything; the reason is empty when it is available. */
async function standing({ find }: Harness, name = "app"): Promise<string[]> {
  const app = await find<EdgeApplication>(edgeapplications, name);
  return (app?.status?.workloadStatus ?? []).map(({ identifier, conditions, reason }) =>
    `${identifier.kind} ${identifier.name} ${conditions === "Available" ? "" : reason}`.trim()
  );
}

async function untilStanding(harness: Harness, expected: string[]): Promise<void> {
  await until(async () => (await standing(harness)).join() === expected.join());
}

Deno.test("an application runs in its groups, is healed, and follows its scope", () =>
  withGroups(async (harness) => {
    const { create, change, find, remove } = harness;
    const manifests = [deployment(), CONFIG];
    await create(
      edgeapplications,
      application({
        workloadTemplate: { manifests },
        workloadScope: {
          targetNodeGroups: [{ name: "a" }, { name: "b", overriders: { replicas: 0 } }],
        },
      }),
    );
    await untilStanding(harness, [
      "Deployment web-a Progressing",
      "Deployment web-b",
      "ConfigMap settings",
    ]);
    const a = await find(deployments, "web-a");
    assert.deepEqual(a?.["spec"].template.spec.nodeSelector, { [BELONGING_TO]: "a" });
    assert.equal(a?.["spec"].strategy.type, "RollingUpdate", "defaults are filled in");

    // What is deleted or edited comes back.
    await remove(deployments, "web-a");
    await until(async () =>
      ![undefined, a?.metadata.uid].includes(
        (await find(deployments, "web-a"))?.metadata.uid,
      )
    );
    await change(deployments, "web-a", (object) => ({
      ...object,
      spec: { ...object["spec"], replicas: 5 },
    }));
    await change(
      configmaps,
      "settings",
      (object) => ({ ...object, data: { a: "2", b: "theirs" } }),
    );
    await until(async () => (await find(deployments, "web-a"))?.["spec"].replicas === 1);
    await until(async () => (await find(configmaps, "settings"))?.["data"].a === "1");
    assert.deepEqual((await find(configmaps, "settings"))?.["data"], { a: "1", b: "theirs" });

    await change(edgeapplications, "app", (app) => ({
      ...app,
      spec: { ...app["spec"], workloadScope: groups("b", "c") },
    }));
    await until(async () => (await namesOf(harness)).join() === "web-b,web-c");
    await change(edgeapplications, "app", (app) => ({
      ...app,
      spec: { workloadTemplate: { manifests: [deployment()] }, workloadScope: groups("b") },
    }));
    await until(async () => await find(configmaps, "settings") === undefined);
    assert.deepEqual(await namesOf(harness), ["web-b"]);

    // The garbage collector takes the rest.
    await remove(edgeapplications, "app");
    await until(async () => (await namesOf(harness)).length === 0);
  }));

Deno.test("an application is available when its pods are, and says why it is not", () =>
  withGroups(async (harness) => {
    const { create, addNode, find, store } = harness;
    await addNode("n", { [BELONGING_TO]: "a" });
    // Nobody runs pods here: the test is the node.
    await create(RESOURCES.nodegroups, {
      apiVersion: "apps.kubeedge.io/v1alpha1",
      kind: "NodeGroup",
      metadata: { name: "a" },
      spec: { nodes: ["n"] },
    });
    await create(
      edgeapplications,
      application({ workloadTemplate: { manifests: [deployment()] }, workloadScope: groups("a") }),
    );
    await untilStanding(harness, ["Deployment web-a Progressing"]);
    const condition = async () =>
      (await find<EdgeApplication>(edgeapplications, "app"))?.status?.conditions?.[0];
    assert.equal((await condition())?.status, "False");
    assert.match((await condition())?.message ?? "", /Deployment web-a: 0 of 1 pods are ready/);
    await until(async () => (await store.list(RESOURCES.pods)).items[0]?.["spec"].nodeName === "n");
    const [pod] = (await store.list(RESOURCES.pods)).items;
    await harness.change(RESOURCES.pods, pod?.metadata.name ?? "", (object) => ({
      ...object,
      status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    }), "status");
    await untilStanding(harness, ["Deployment web-a"]);
    const { type, status, reason, observedGeneration } = await condition() ?? {};
    assert.deepEqual([type, status, reason, observedGeneration], [
      "Available",
      "True",
      "Available",
      1,
    ]);
  }));

Deno.test("one manifest that cannot be does not stop the others, and its objects stay", () =>
  withGroups(async (harness) => {
    const { create, change, find } = harness;
    const taken: KubeObject = { ...CONFIG, metadata: { name: "taken", namespace: "default" } };
    await create(configmaps, taken);
    const bad = structuredClone(deployment("bad"));
    bad["spec"].template.spec.containers[0].name = "Not A Name";
    const manifests: Record<string, unknown>[] = [
      { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db" } },
      { ...CONFIG, metadata: { name: "taken" } },
      bad,
      deployment(),
    ];
    await create(
      edgeapplications,
      application({ workloadTemplate: { manifests }, workloadScope: groups("a") }),
    );
    await untilStanding(harness, [
      "StatefulSet db KindNotServed",
      "ConfigMap taken Taken",
      "Deployment bad-a Refused",
      "Deployment web-a Progressing",
    ]);
    const app = await find<EdgeApplication>(edgeapplications, "app");
    assert.ok(app);
    // A real API server would refuse or drop what its schema does not have.
    const checked = { ...edgeapplications, hasStatus: false };
    assert.deepEqual(customProblems(checked, app), []);
    assert.deepEqual(pruneCustom(checked, app).unknown, []);
    assert.match(app?.status?.workloadStatus?.[2]?.message ?? "", /containers\[0\]\.name: Invalid/);
    assert.equal(app?.status?.conditions?.[0]?.reason, "KindNotServed");
    assert.equal((await find(configmaps, "taken"))?.metadata.ownerReferences, undefined);

    const overriders = {
      imageOverriders: [{ component: "Repository", operator: "remove" }],
    };
    await change(edgeapplications, "app", (object) => ({
      ...object,
      spec: {
        workloadTemplate: { manifests: [deployment()] },
        workloadScope: { targetNodeGroups: [{ name: "a", overriders }] },
      },
    }));
    await untilStanding(harness, ["Deployment web-a OverrideFailed"]);
    assert.ok(await find(deployments, "web-a"), "what runs is not stopped by a mistake");
  }));

Deno.test("an application says that a group which it names does not exist", () =>
  withGroups(async ({ create, find }) => {
    const manifests = [deployment()];
    const workloadScope = groups("nowhere");
    await create(edgeapplications, application({ workloadTemplate: { manifests }, workloadScope }));
    const message = async (): Promise<string> => {
      const app = await find<EdgeApplication>(edgeapplications, "app");
      return app?.status?.workloadStatus?.[0]?.message ?? "";
    };
    await until(async () => /there is no NodeGroup nowhere/.test(await message()));
    await create(nodegroups, {
      apiVersion: "apps.kubeedge.io/v1alpha1",
      kind: "NodeGroup",
      metadata: { name: "nowhere" },
      spec: { nodes: ["n1"] },
    });
    await until(async () => /ready$/.test(await message()));
  }));

Deno.test("an application keeps in mind what it made while its kind cannot be seen, and removes it then", () => {
  let down = true;
  const find = () =>
    down
      ? Promise.reject(new AppError("ServiceUnavailable", "the server is down"))
      : Promise.resolve(JOBS);
  return withGroups(async (harness) => {
    const { create, change } = harness;
    const spec = { workloadTemplate: { manifests: [] }, workloadScope: {} };
    const app = await create(edgeapplications, application(spec, "app"));
    await untilStanding(harness, []);
    const metadata = { name: "old", namespace: "default", ownerReferences: [controllerRef(app)] };
    await create(JOBS, { apiVersion: "batch/v1", kind: "Job", metadata, spec: {} });
    // As another hub has left it, before the manifest was taken out.
    const identifier = { ordinal: 0, group: "batch", version: "v1", kind: "Job", name: "old" };
    await change(edgeapplications, "app", (object) => ({
      ...object,
      status: { ...object["status"], workloadStatus: [{ identifier, conditions: "Available" }] },
    }), "status");
    await untilStanding(harness, ["Job old KindNotServed"]);
    assert.ok(await harness.find(JOBS, "old"));
    down = false;
    await change(edgeapplications, "app", (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { look: "again" } },
    }));
    await untilStanding(harness, []);
    assert.equal(await harness.find(JOBS, "old"), undefined);
  }, { kinds: { find, prefer: find } });
});

Deno.test("an application's nulls are absent, and refused where nobody knows what they mean", () =>
  withGroups(async (harness) => {
    const { create, find } = harness;
    const web = { ...deployment() };
    Object.assign(web["spec"], { paused: null, minReadySeconds: null });
    const bad = { ...deployment("bad") };
    bad["spec"].template.spec.containers.push(null);
    await create(
      edgeapplications,
      application({
        workloadTemplate: { manifests: [web, bad] },
        workloadScope: groups("a"),
      }),
    );
    await untilStanding(harness, ["Deployment web-a Progressing", "Deployment bad-a Refused"]);
    const spec = (await find(deployments, "web-a"))?.["spec"];
    assert.ok(spec && !("paused" in spec) && spec.minReadySeconds !== null);
    const app = await find<EdgeApplication>(edgeapplications, "app");
    assert.match(
      app?.status?.workloadStatus?.[1]?.message ?? "",
      /spec\.template\.spec\.containers\[1\]: must not be null/,
    );
  }));

Deno.test("an application writes nothing when nothing is new", () =>
  withGroups(async (harness) => {
    const { create, change, find } = harness;
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    };
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "key" },
      stringData: { a: "text" },
    };
    await create(
      edgeapplications,
      application({
        workloadTemplate: { manifests: [deployment(), service, secret] },
        workloadScope: groups("a"),
      }),
    );
    const rest = ["Deployment web-a Progressing", "Service web", "Secret key"];
    await untilStanding(harness, rest);
    await until(async () => !!(await find(services, "web"))?.["spec"].clusterIP);
    const versions = async () =>
      await Promise.all(
        ([[edgeapplications, "app"], [services, "web"], [RESOURCES.secrets, "key"]] as const)
          .map(async ([resource, name]) => (await find(resource, name))?.metadata.resourceVersion),
      );
    const before = await versions();
    // Others write on: the controller looks again and finds nothing to do.
    await change(deployments, "web-a", (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...object.metadata.annotations, theirs: "x" },
      },
    }));
    await create(
      edgeapplications,
      application({ workloadTemplate: { manifests: [] }, workloadScope: {} }, "later"),
    );
    await until(async () =>
      (await find<EdgeApplication>(edgeapplications, "later"))?.status?.conditions?.[0]
        ?.status === "True"
    );
    assert.deepEqual(await versions(), before);
    assert.equal((await find(deployments, "web-a"))?.metadata.annotations?.["theirs"], "x");
  }));
