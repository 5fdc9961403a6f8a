import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type EdgeApplication,
  type KubeObject,
  pruneCustom,
  RESOURCES,
  validateObject,
} from "../../core/api/mod.ts";
import { application, deployment } from "./harness_test_helper.ts";
import { apiVersionOf, BELONGING_TO, resourceOfKind } from "../../core/api/mod.ts";
import { type KindLookup, mayHaveMade, renderApplication } from "./render.ts";

const find: KindLookup = (apiVersion, kind) => {
  const resource = resourceOfKind(apiVersion, kind);
  if (resource && apiVersionOf(resource) === apiVersion && kind !== "Lease") return resource;
  const message = `${kind} of ${apiVersion} cannot be part of an application here`;
  return { reason: "KindNotServed", message };
};

function render(
  manifests: Record<string, unknown>[],
  workloadScope: EdgeApplication["spec"]["workloadScope"],
) {
  const app = application({ workloadTemplate: { manifests }, workloadScope });
  app.metadata.uid = "u1";
  return renderApplication(app, find);
}

const BOTH = { targetNodeGroups: [{ name: "a" }, { name: "b", overriders: { replicas: 3 } }] };

Deno.test("renderApplication() makes a workload for every group, and all else once", () => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", annotations: { x: "y" }, uid: "old", resourceVersion: "7" },
    spec: { ports: [{ port: 80 }] },
    status: { loadBalancer: {} },
  };
  const rendered = render([deployment(), service], BOTH);
  assert.deepEqual(rendered.map(({ ordinal, kind, name }) => [ordinal, kind, name]), [
    [0, "Deployment", "web-a"],
    [0, "Deployment", "web-b"],
    [1, "Service", "web"],
  ]);
  const [a, b, web] = rendered.map(({ object }) => object) as KubeObject[];
  assert.deepEqual(a?.["spec"].template.spec.nodeSelector, { [BELONGING_TO]: "a" });
  assert.deepEqual([a?.["spec"].replicas, b?.["spec"].replicas], [1, 3]);
  assert.deepEqual(a?.metadata, {
    name: "web-a",
    labels: { app: "web" },
    namespace: "default",
    ownerReferences: [{
      apiVersion: "apps.kubeedge.io/v1alpha1",
      kind: "EdgeApplication",
      name: "app",
      uid: "u1",
      controller: true,
      blockOwnerDeletion: true,
    }],
  });
  assert.deepEqual(web?.metadata.annotations, {
    x: "y",
    "apps.kubeedge.io/service-topology": "range-nodegroup",
  });
  assert.deepEqual([web?.metadata.uid, web?.metadata.resourceVersion, web?.["status"]], [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("renderApplication() keeps a manifest's own node selector and affinity", () => {
  const manifest = deployment();
  Object.assign(manifest["spec"].template.spec, {
    nodeSelector: { disk: "ssd" },
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "a", operator: "Exists" }] },
            { matchFields: [] },
          ],
        },
      },
      podAntiAffinity: {},
    },
  });
  const labelSelector = {
    matchLabels: { tier: "gold" },
    matchExpressions: [{ key: "zone", operator: "In", values: ["x"] }],
  };
  const [group, labels] = render([manifest], {
    targetNodeGroups: [{ name: "g" }],
    targetNodeLabels: [{ labelSelector }],
  });
  assert.deepEqual(group?.object?.["spec"].template.spec.nodeSelector, {
    disk: "ssd",
    [BELONGING_TO]: "g",
  });
  const { nodeSelector, affinity } = labels?.object?.["spec"].template.spec;
  assert.deepEqual(nodeSelector, { disk: "ssd" });
  const wanted = [
    { key: "tier", operator: "In", values: ["gold"] },
    { key: "zone", operator: "In", values: ["x"] },
  ];
  assert.deepEqual(affinity, {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "a", operator: "Exists" }, ...wanted] },
          { matchFields: [], matchExpressions: wanted },
        ],
      },
    },
    podAntiAffinity: {},
  });
});

Deno.test("renderApplication() names what runs by labels as KubeEdge does", () => {
  // sha256 of "environmentproductiontierbackend", the first four bytes.
  const labelSelector = { matchLabels: { tier: "backend", environment: "production" } };
  const [one] = render([deployment()], { targetNodeLabels: [{ labelSelector }] });
  assert.equal(one?.name, "web-ls-bff22a2a");
});

Deno.test.each<[string, unknown, EdgeApplication["spec"]["workloadScope"], string, RegExp]>([
  ["no kind", { apiVersion: "v1", metadata: { name: "a" } }, BOTH, "InvalidManifest", /kind/],
  ["no name", { apiVersion: "v1", kind: "Service" }, BOTH, "InvalidManifest", /name/],
  [
    "a kind that is not served",
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "db" },
    },
    BOTH,
    "KindNotServed",
    /StatefulSet of apps\/v1/,
  ],
  [
    "another version",
    { ...deployment(), apiVersion: "apps/v1beta1" },
    BOTH,
    "KindNotServed",
    /v1b/,
  ],
  [
    "a kind that an application cannot hold",
    {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "l" },
    },
    BOTH,
    "KindNotServed",
    /Lease/,
  ],
  [
    "another namespace",
    {
      ...deployment(),
      metadata: { name: "web", namespace: "other" },
    },
    BOTH,
    "InvalidManifest",
    /must be default/,
  ],
  ["no target", deployment(), {}, "NoTargets", /targetNodeGroups/],
  ["a group without a name", deployment(), { targetNodeGroups: [{}] }, "OverrideFailed", /\[0\]/],
  [
    "an override that cannot be",
    deployment(),
    {
      targetNodeGroups: [{
        name: "g",
        overriders: { imageOverriders: [{ component: "Repository", operator: "remove" }] },
      }],
    },
    "OverrideFailed",
    /imageOverriders\[0\]/,
  ],
])(
  "renderApplication() has a problem with %s and goes on",
  (_what, manifest, scope, reason, text) => {
    const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } };
    const [bad, good] = render([manifest as Record<string, unknown>, config], scope);
    assert.equal(bad?.problem?.reason, reason);
    assert.match(bad?.problem?.message ?? "", text);
    assert.equal(bad?.object, undefined);
    assert.equal(good?.object?.metadata.name, "c");
  },
);

Deno.test("renderApplication() makes nothing twice", () => {
  const twice = { targetNodeGroups: [{ name: "a" }, { name: "a" }] };
  const problems = render([deployment()], twice).map(({ problem }) => problem?.reason);
  assert.deepEqual(problems, [undefined, "Duplicate"]);
});

Deno.test("renderApplication() makes nothing twice in two versions either", () => {
  const app = application({
    workloadTemplate: {
      manifests: ["v1", "v2"].map((version) => ({
        apiVersion: `autoscaling/${version}`,
        kind: "HorizontalPodAutoscaler",
        metadata: { name: "web" },
      })),
    },
    workloadScope: {},
  });
  const known = { ...RESOURCES.services, group: "autoscaling", kind: "HorizontalPodAutoscaler" };
  const reasons = renderApplication(app, () => known).map(({ problem }) => problem?.reason);
  assert.deepEqual(reasons, [undefined, "Duplicate"]);
});

Deno.test.each<[string, Record<string, unknown>, string[]]>([
  ["whose kind is not served", { apiVersion: "apps/v1", kind: "Deploymnt" }, ["web-a"]],
  ["that has no kind", { apiVersion: "apps/v1" }, ["web-a"]],
  ["whose version is not served", { apiVersion: "apps/v9", kind: "Deployment" }, [
    "web-a",
    "other",
  ]],
  ["without a name", { apiVersion: "apps/v1", kind: "Deployment", metadata: {} }, [
    "web-a",
    "other",
  ]],
  ["for another namespace", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "elsewhere" },
  }, []],
  ["that is sound", deployment(), []],
])("mayHaveMade() of a manifest %s", (_what, manifest, expected) => {
  const [one] = render([{ metadata: { name: "web" }, ...manifest }], BOTH);
  assert.ok(one);
  const objects = ["web-a", "other"].filter((name) =>
    mayHaveMade(one, { kind: "Deployment", name })
  );
  assert.deepEqual(objects, expected);
});

Deno.test("renderApplication() never throws, whatever the API lets through", () => {
  const junk = fc.jsonValue({ maxDepth: 2 });
  const map = (...keys: string[]) =>
    fc.record(Object.fromEntries(keys.map((key) => [key, junk])), { requiredKeys: [] });
  const template = fc.record({
    spec: fc.oneof(junk, map("containers", "affinity", "nodeSelector")),
  });
  const manifest = fc.record({
    apiVersion: fc.constantFrom("v1", "apps/v1", "batch/v1"),
    kind: fc.constantFrom("Deployment", "Pod", "Service", "CronJob", "Secret", ""),
    metadata: fc.oneof(junk, fc.record({ name: fc.oneof(junk, fc.constant("web")), labels: junk })),
    spec: fc.oneof(junk, fc.record({ template, replicas: junk })),
  });
  const overriders = fc.record({
    replicas: fc.integer(),
    imageOverriders: fc.array(fc.record({
      component: fc.constantFrom("Registry", "Repository", "Tag"),
      operator: fc.constantFrom("add", "remove", "replace"),
      value: fc.string(),
      predicate: fc.record({ path: fc.string() }),
    }, { requiredKeys: ["component", "operator"] })),
  }, { requiredKeys: [] });
  const scope = fc.record({
    targetNodeGroups: fc.array(fc.record({ name: fc.string(), overriders })),
    targetNodeLabels: fc.array(fc.record({ labelSelector: map("matchLabels"), overriders })),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(manifest, { maxLength: 3 }), scope, (manifests, workloadScope) => {
      const app = application({ workloadTemplate: { manifests }, workloadScope } as never);
      if (validateObject(RESOURCES.edgeapplications, app).length > 0) return;
      const { object } = pruneCustom(RESOURCES.edgeapplications, app);
      for (const one of renderApplication(object as EdgeApplication, find)) {
        assert.notEqual(one.object === undefined, one.problem === undefined);
      }
    }),
    { numRuns: 500 },
  );
});
