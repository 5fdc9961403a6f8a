import assert from "node:assert/strict";
import fc from "fast-check";
import { type KubeObject, type ResourceDef } from "../object.ts";
import { RESOURCE_LIST, RESOURCES } from "../resources.ts";
import { invalidObject, setDefaults, validateObject } from "./mod.ts";

const container = { name: "c", image: "nginx:1" };

function pod(spec: object, metadata: object = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", ...metadata },
    spec,
  };
}

function deployment(spec: object): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec,
  };
}

function texts(resource: ResourceDef, object: KubeObject, old?: KubeObject): string[] {
  return validateObject(resource, object, old).map(({ field, message }) => `${field}: ${message}`);
}

Deno.test("validateObject() accepts a plain pod and a plain deployment", () => {
  assert.deepEqual(texts(RESOURCES.pods, pod({ containers: [container] })), []);
  const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
  const good = deployment({ selector: { matchLabels: { app: "a" } }, template });
  assert.deepEqual(texts(RESOURCES.deployments, good), []);
});

Deno.test.each<[string, object, string]>([
  ["no containers", { containers: [] }, "spec.containers: Required value"],
  ["no image", { containers: [{ name: "c" }] }, "spec.containers[0].image: Required value"],
  ["no name", { containers: [{ image: "x" }] }, "spec.containers[0].name: Required value"],
  [
    "a name twice",
    { containers: [container, container] },
    'spec.containers[1].name: Duplicate value: "c"',
  ],
  [
    "a wrong policy",
    { containers: [container], restartPolicy: "Sometimes" },
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
  ],
  [
    "a mount of no volume",
    { containers: [{ ...container, volumeMounts: [{ name: "v", mountPath: "/v" }] }] },
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ],
  [
    "a request above its limit",
    { containers: [{ ...container, resources: { limits: { cpu: "1" }, requests: { cpu: "2" } } }] },
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ],
  [
    "a port out of range",
    { containers: [{ ...container, ports: [{ containerPort: 70000 }] }] },
    "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
  ],
])("validateObject() refuses a pod with %s", (_what, spec, want) => {
  assert.deepEqual(texts(RESOURCES.pods, pod(spec)), [want]);
});

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

Deno.test.each<[object, string]>([
  [{ [REQUIRED]: {} }, `${REQUIRED}.nodeSelectorTerms: Required value`],
  [
    { [REQUIRED]: { nodeSelectorTerms: [] } },
    `${REQUIRED}.nodeSelectorTerms: Required value: must have at least one node selector term`,
  ],
  [
    { [REQUIRED]: { nodeSelectorTerms: [null] } },
    `${REQUIRED}.nodeSelectorTerms[0]: Invalid value: "null": must be of type object`,
  ],
  [
    { [REQUIRED]: { nodeSelectorTerms: [{ matchExpressions: [null] }] } },
    `${REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]: Invalid value: "null": must be of type object`,
  ],
  [
    { [REQUIRED]: { nodeSelectorTerms: [{ matchFields: [{ operator: "Exists" }] }] } },
    `${REQUIRED}.nodeSelectorTerms[0].matchFields[0].key: Required value`,
  ],
  [
    {
      [REQUIRED]: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In" }] }] },
    },
    `${REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be ` +
    "specified when `operator` is 'In' or 'NotIn'",
  ],
  [
    { [PREFERRED]: [{ weight: 0, preference: {} }] },
    `${PREFERRED}[0].weight: Invalid value: 0: must be in the range 1-100`,
  ],
])("validateObject() refuses a pod with the node affinity %j", (nodeAffinity, want) => {
  const spec = { containers: [container], affinity: { nodeAffinity } };
  assert.deepEqual(texts(RESOURCES.pods, pod(spec)), [`spec.affinity.nodeAffinity.${want}`]);
});

Deno.test("validateObject() accepts node affinity of all operators", () => {
  const matchExpressions = [
    { key: "a", operator: "In", values: ["x"] },
    { key: "a", operator: "Exists" },
    { key: "a", operator: "Gt", values: ["1"] },
  ];
  const term = { matchExpressions };
  const nodeAffinity = {
    [REQUIRED]: { nodeSelectorTerms: [term, {}] },
    [PREFERRED]: [{ weight: 1, preference: term }],
  };
  const spec = { containers: [container], affinity: { nodeAffinity } };
  assert.deepEqual(texts(RESOURCES.pods, pod(spec)), []);
});

Deno.test.each<[ResourceDef, object, string | undefined]>([
  [RESOURCES.deployments, { maxSurge: "30%", maxUnavailable: 0 }, undefined],
  [RESOURCES.deployments, { maxSurge: "abc%" }, 'maxSurge: Invalid value: "abc%": a valid percent'],
  [RESOURCES.deployments, { maxSurge: "3" }, 'maxSurge: Invalid value: "3": a valid percent'],
  [
    RESOURCES.deployments,
    { maxUnavailable: -1 },
    "maxUnavailable: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    RESOURCES.deployments,
    { maxUnavailable: "0%", maxSurge: 0 },
    'maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
  ],
  [RESOURCES.daemonsets, { maxUnavailable: "x" }, 'maxUnavailable: Invalid value: "x"'],
])("validateObject() judges of %j the roll-out %j", (resource, rollingUpdate, want) => {
  const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
  const field = resource.kind === "Deployment" ? "strategy" : "updateStrategy";
  const object = deployment({
    selector: { matchLabels: { app: "a" } },
    template,
    [field]: { type: "RollingUpdate", rollingUpdate },
  });
  object.kind = resource.kind;
  const found = texts(resource, object);
  assert.equal(found.length, want === undefined ? 0 : 1);
  const start = `spec.${field}.rollingUpdate.${want}`;
  assert.ok(want === undefined || found[0]?.startsWith(start), `${found[0]} is not ${start}`);
});

Deno.test("validateObject() refuses a strategy of another type, and Recreate with rollingUpdate", () => {
  const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
  const of = (strategy: object): string =>
    texts(
      RESOURCES.deployments,
      deployment({ selector: { matchLabels: { app: "a" } }, template, strategy }),
    ).join();
  assert.match(of({ type: "Blue" }), /^spec\.strategy\.type: Unsupported value: "Blue"/);
  assert.match(
    of({ type: "Recreate", rollingUpdate: { maxSurge: 1 } }),
    /^spec\.strategy\.rollingUpdate: Forbidden: may not be specified when strategy/,
  );
});

Deno.test("validateObject() refuses a Deployment without selector and one whose template does not match", () => {
  const template = { metadata: { labels: { app: "b" } }, spec: { containers: [container] } };
  const problems = validateObject(RESOURCES.deployments, deployment({ template }));
  assert.equal(
    invalidObject(RESOURCES.deployments, "web", problems).message,
    'Deployment.apps "web" is invalid: spec.selector: Required value',
  );
  const other = deployment({ template, selector: { matchLabels: { app: "a" } } });
  assert.match(
    texts(RESOURCES.deployments, other).join(),
    /`selector` does not match template `labels`/,
  );
});

Deno.test("validateObject() lets a pod's image change and little else", () => {
  const old = pod({ containers: [container], tolerations: [{ operator: "Exists" }] });
  const image = pod({ ...old["spec"], containers: [{ ...container, image: "nginx:2" }] });
  assert.deepEqual(texts(RESOURCES.pods, image, old), []);
  const more = pod({
    ...old["spec"],
    tolerations: [{ operator: "Exists" }, { key: "a", operator: "Exists" }],
  });
  assert.deepEqual(texts(RESOURCES.pods, more, old), []);
  const args = pod({ ...old["spec"], containers: [{ ...container, args: ["x"] }] });
  assert.match(
    texts(RESOURCES.pods, args, old).join(),
    /^spec: Forbidden: pod updates may not change/,
  );
  const moved = pod({ ...old["spec"], nodeName: "n1" });
  assert.match(texts(RESOURCES.pods, moved, old).join(), /Forbidden/);
});

Deno.test("validateObject() refuses a change of a Deployment's selector", () => {
  const make = (app: string): KubeObject =>
    deployment({
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec: { containers: [container] } },
    });
  assert.match(texts(RESOURCES.deployments, make("b"), make("a")).join(), /field is immutable/);
});

Deno.test.each<[string, object, RegExp]>([
  [
    "an upper-case name",
    { name: "Web" },
    /^metadata.name: Invalid value: "Web": a lowercase RFC 1123/,
  ],
  ["no name", { name: "" }, /^metadata.name: Required value: name or generateName is required/],
  ["a bad label", { labels: { "a b": "c" } }, /^metadata.labels: Invalid value: "a b": name part/],
  ["a bad label value", { labels: { a: "-" } }, /^metadata.labels: Invalid value: "-"/],
  [
    "a number as annotation",
    { annotations: { a: 1 } },
    /^metadata.annotations.a: .*must be of type string/,
  ],
  [
    "half an owner",
    { ownerReferences: [{ kind: "X" }] },
    /^metadata.ownerReferences\[0\].apiVersion: Required/,
  ],
])("validateObject() refuses metadata with %s", (_what, metadata, want) => {
  const [first = ""] = texts(RESOURCES.pods, pod({ containers: [container] }, metadata));
  assert.match(first, want);
});

Deno.test.each<[ResourceDef, object, RegExp | undefined]>([
  [RESOURCES.services, { spec: { ports: [{ port: 80 }] } }, undefined],
  [RESOURCES.services, { spec: { ports: [] } }, /spec.ports: Required/],
  [RESOURCES.services, { spec: { type: "Odd", ports: [{ port: 80 }] } }, /spec.type: Unsupported/],
  [RESOURCES.configmaps, { data: { "../x": "y" } }, /data\[..\/x\]/],
  [RESOURCES.configmaps, { data: { a: 1 } }, /must be of type string/],
  [RESOURCES.secrets, { type: "Opaque", data: { a: "no base64!" } }, /must be base64/],
  [RESOURCES.secrets, { type: "Opaque", data: { a: "YQ==" } }, undefined],
  [RESOURCES.leases, { spec: { renewTime: "2026-01-01T00:00:00Z" } }, /six decimals/],
  [RESOURCES.wasmfunctions, { spec: { source: {} } }, /^spec.source: must have exactly one/],
])("validateObject() judges %j", (resource, body, want) => {
  const object = {
    apiVersion: "v1",
    kind: resource.kind,
    metadata: { name: "x", namespace: "default" },
    ...body,
  };
  const [first = ""] = texts(resource, object);
  if (want) assert.match(first, want);
  else assert.equal(first, "");
});

Deno.test("validateObject() and setDefaults() never throw, whatever an object holds", () => {
  const junk = fc.jsonValue({ maxDepth: 4 });
  const names = fc.constantFrom(
    "containers",
    "name",
    "image",
    "ports",
    "env",
    "volumes",
    "template",
    "selector",
    "matchLabels",
    "matchExpressions",
    "metadata",
    "labels",
    "spec",
    "data",
    "taints",
    "resources",
    "limits",
    "requests",
    "tolerations",
    "volumeMounts",
    "strategy",
    "source",
    "stringData",
  );
  const shaped = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      junk,
      fc.dictionary(names, tie("node"), { maxKeys: 5 }),
      fc.array(tie("node"), { maxLength: 3 }),
    ),
  })).node;
  const part = fc.record({
    spec: shaped,
    data: shaped,
    status: shaped,
    stringData: shaped,
    labels: shaped,
  });
  fc.assert(
    fc.property(part, fc.constantFrom(...RESOURCE_LIST), ({ labels, ...rest }, resource) => {
      const metadata = { name: "x", namespace: "d", labels } as never;
      const object: KubeObject = { ...rest, apiVersion: "v1", kind: resource.kind, metadata };
      validateObject(resource, structuredClone(object), structuredClone(object));
      setDefaults(resource, object);
      validateObject(resource, object);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("setDefaults() fills in what kubectl and controllers rely on, and once is enough", () => {
  const object = deployment({
    selector: { matchLabels: { app: "a" } },
    template: {
      metadata: { labels: { app: "a" } },
      spec: { containers: [{ ...container, image: "nginx", ports: [{ containerPort: 80 }] }] },
    },
  });
  setDefaults(RESOURCES.deployments, object);
  const { replicas, strategy, template } = object["spec"];
  assert.equal(replicas, 1);
  assert.deepEqual(strategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
  });
  assert.equal(template.spec.restartPolicy, "Always");
  assert.equal(template.spec.containers[0].imagePullPolicy, "Always");
  assert.equal(template.spec.containers[0].ports[0].protocol, "TCP");
  const again = structuredClone(object);
  setDefaults(RESOURCES.deployments, again);
  assert.deepEqual(again, object);
});
