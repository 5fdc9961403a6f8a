import assert from "node:assert/strict";
import { type KubeObject, RESOURCES, setDefaults } from "../../core/api/mod.ts";
import { APPLIED_HASH, LAST_APPLIED, planChild } from "./child.ts";
import { deployment } from "./harness_test_helper.ts";

const OWNER = {
  apiVersion: "apps.kubeedge.io/v1alpha1",
  kind: "EdgeApplication",
  name: "app",
  uid: "u1",
  controller: true,
};

function wanted(change: (object: KubeObject) => void = () => {}): KubeObject {
  const object = structuredClone(deployment()) as KubeObject;
  object.metadata.ownerReferences = [OWNER];
  change(object);
  return object;
}

/** What is there after `want` was applied and everybody else has put in their part. */
function applied(want: KubeObject, change: (object: KubeObject) => void = () => {}): KubeObject {
  const plan = planChild(want, undefined);
  assert.equal(plan.do, "create");
  assert.ok("object" in plan);
  const live = structuredClone(plan.object);
  setDefaults(RESOURCES.deployments, live);
  Object.assign(live.metadata, { uid: "c1", resourceVersion: "5", generation: 1 });
  live["status"] = { readyReplicas: 1 };
  change(live);
  return live;
}

function updated(want: KubeObject, live: KubeObject): KubeObject {
  const plan = planChild(want, live);
  assert.equal(plan.do, "update", JSON.stringify(plan));
  assert.ok("object" in plan);
  return plan.object;
}

Deno.test("planChild() leaves defaults, status and what others have added alone", () => {
  const want = wanted((object) => {
    object["spec"].template.spec.containers[0].resources = { limits: { cpu: "1000m", memory: 64 } };
    object["spec"].template.spec.tolerations = [{ key: "a", operator: "Exists" }];
  });
  const live = applied(want, (object) => {
    const { annotations } = object.metadata;
    object.metadata.annotations = { ...annotations, "deployment.kubernetes.io/revision": "3" };
    const { spec } = object["spec"].template;
    spec.containers[0].resources = { limits: { cpu: "1", memory: "64" }, requests: { cpu: "1" } };
    spec.containers.unshift({ name: "injected", image: "proxy" });
    spec.volumes = [{ name: "injected", emptyDir: {} }];
    spec.tolerations[0].effect = "NoSchedule";
  });
  assert.deepEqual(planChild(want, live), { do: "nothing" });
});

Deno.test("planChild() heals what was changed, and nothing else", () => {
  const want = wanted();
  const live = applied(want, (object) => {
    object["spec"].replicas = 7;
    object["spec"].template.spec.containers[0].image = "evil";
    object["spec"].minReadySeconds = 9;
    delete object.metadata.labels;
  });
  const { spec, metadata } = updated(want, live) as KubeObject & { spec: typeof live };
  assert.deepEqual([spec["replicas"], spec["minReadySeconds"], metadata.labels], [1, 9, {
    app: "web",
  }]);
  assert.equal(spec["template"].spec.containers[0].image, "registry.example/web:1.0");
  assert.equal(metadata.resourceVersion, "5");
});

Deno.test("planChild() takes away what was applied before and is not wanted any more", () => {
  const before = wanted((object) => {
    object["spec"].template.spec.containers[0].env.push({ name: "OLD", value: "1" });
    object["spec"].template.spec.containers.push({ name: "side", image: "side" });
    object["spec"].minReadySeconds = 5;
  });
  const live = applied(before, (object) => {
    object["spec"].template.spec.containers[0].env.push({ name: "THEIRS", value: "1" });
  });
  const next = updated(wanted(), live);
  const [main, ...rest] = next["spec"].template.spec.containers;
  assert.deepEqual(main.env.map(({ name }: { name: string }) => name), ["MODE", "THEIRS"]);
  assert.deepEqual(rest, []);
  assert.equal(next["spec"].minReadySeconds, undefined);
  assert.deepEqual(planChild(wanted(), next), { do: "nothing" });
});

Deno.test("planChild() puts the items of a list into another order when that is wanted", () => {
  const two = (names: string[]) =>
    wanted((object) => {
      object["spec"].template.spec.initContainers = names.map((name) => ({ name, image: name }));
    });
  const next = updated(two(["b", "a"]), applied(two(["a", "b"])));
  const names = next["spec"].template.spec.initContainers.map((one: { name: string }) => one.name);
  assert.deepEqual(names, ["b", "a"]);
});

Deno.test("planChild() takes null for absent, and takes away what is there in its place", () => {
  const want = wanted((object) => {
    object["spec"].paused = null;
    object["spec"].template.spec.nodeSelector = { disk: null };
    object["spec"].template.spec.containers[0].command = null;
    object["spec"].template.spec.tolerations = [{ key: "a", value: null }];
  });
  const bare = (live: KubeObject): void => {
    const { spec } = live["spec"].template;
    delete live["spec"].paused;
    delete spec.containers[0].command;
    spec.nodeSelector = {};
    spec.tolerations = [{ key: "a", operator: "Exists" }];
  };
  assert.deepEqual(planChild(want, applied(want, bare)), { do: "nothing" });
  const next = updated(
    want,
    applied(want, (live) => {
      bare(live);
      live["spec"].paused = true;
    }),
  );
  assert.equal(next["spec"].paused, null);
});

Deno.test("planChild() keeps nothing of what was applied in another version", () => {
  const before = wanted((object) => {
    object.apiVersion = "apps/v1beta1";
    object["spec"].rollbackTo = { revision: 1 };
  });
  const want = wanted();
  const live = applied(before, (object) => {
    object.apiVersion = "apps/v1";
    object["spec"].rollbackConfig = { revision: 1 };
  });
  const next = updated(want, live);
  assert.equal(next["spec"].rollbackConfig, undefined);
  assert.deepEqual(next["status"], live["status"]);
  assert.deepEqual(planChild(want, next), { do: "nothing" });
});

Deno.test("planChild() leaves what is somebody else's, and what is on its way out", () => {
  const want = wanted();
  const theirs = applied(want, (object) => {
    object.metadata.ownerReferences = [{ ...OWNER, uid: "u2", name: "other" }];
  });
  assert.deepEqual(planChild(want, theirs), {
    do: "leave",
    why: "there is a Deployment web that belongs to EdgeApplication other",
  });
  const nobodys = applied(want, (object) => delete object.metadata.ownerReferences);
  assert.equal(planChild(want, nobodys).do, "leave");
  const going = applied(want, (object) => {
    object.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
    object["spec"].replicas = 9;
  });
  assert.equal(planChild(want, going).do, "nothing");
});

Deno.test("planChild() writes no copy of a Secret onto it, and replaces its content as a whole", () => {
  const secret = (data: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", ownerReferences: [OWNER] },
    data,
  });
  const live = applied(secret({ a: "MQ==", b: "Mg==" }), (object) => object["type"] = "Opaque");
  assert.equal(live.metadata.annotations?.[LAST_APPLIED], undefined);
  assert.match(live.metadata.annotations?.[APPLIED_HASH] ?? "", /^[0-9a-f]{64}$/);
  assert.equal(planChild(secret({ a: "MQ==", b: "Mg==" }), live).do, "nothing");
  const next = updated(secret({ a: "MQ==" }), live);
  assert.deepEqual(next["data"], { a: "MQ==" });
  const healed = updated(secret({ a: "MQ==", b: "Mg==" }), { ...live, data: { a: "eA==" } });
  assert.deepEqual(healed["data"], { a: "MQ==", b: "Mg==" });
});

Deno.test("planChild() lives with a mark that cannot be read", () => {
  const live = applied(wanted(), (object) => {
    object.metadata.annotations = { [LAST_APPLIED]: "{" };
  });
  assert.equal(updated(wanted(), live).metadata.annotations?.[LAST_APPLIED]?.[1], '"');
});
