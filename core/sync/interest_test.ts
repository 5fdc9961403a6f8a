import assert from "node:assert/strict";
import fc from "fast-check";
import type { Node, Pod, Service, WasmFunction } from "../api/mod.ts";
import { MIRROR_ANNOTATION } from "../api/mod.ts";
import { type InterestIndex, interestOf } from "./mod.ts";

function pod(name: string, node: string, spec: Partial<Pod["spec"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "a" },
    spec: { nodeName: node, containers: [{ name: "c", image: "i" }], ...spec },
  };
}

function fn(name: string, placement: WasmFunction["spec"]["placement"]): WasmFunction {
  return {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name, namespace: "a" },
    spec: { source: { configMapRef: { name: `${name}-code`, key: "m" } }, placement },
  };
}

function service(name: string, namespace: string, clusterIP?: string): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: clusterIP === undefined ? {} : { clusterIP },
  };
}

const SERVICES = [
  service("web", "a", "10.96.0.2"),
  service("headless", "a", "None"),
  service("new", "a"),
  service("other", "b", "10.96.0.3"),
];

const CLAIM = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace: "a", uid: "u" },
  spec: { volumeName: "pv" },
  status: { phase: "Bound" },
};
const VOLUME = {
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "pv" },
  spec: {
    csi: { driver: "csi.example.com", volumeHandle: "vol-0" },
    claimRef: { namespace: "a", name: "data", uid: "u" },
  },
};

function index(pods: Pod[], functions: WasmFunction[] = [], labels = {}): InterestIndex {
  const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels } };
  return {
    node: (name) => name === "n1" ? node : undefined,
    podsOf: (name) => pods.filter(({ spec }) => spec.nodeName === name),
    functions: () => functions,
    servicesOf: (namespace) => SERVICES.filter(({ metadata }) => metadata.namespace === namespace),
    slicesOf: () => [],
    claim: (_, name) => name === "data" ? CLAIM : undefined,
    volume: (name) => name === "pv" ? VOLUME : undefined,
  };
}

const keys = (what: InterestIndex): string[] => [...interestOf("n1", what)].sort();

Deno.test("interestOf() is the node alone when nothing is bound to it", () => {
  assert.deepEqual(keys(index([pod("p", "n2")])), ["nodes//n1"]);
});

Deno.test("interestOf() follows every way by which a pod names a config or a secret", () => {
  const everything = pod("p", "n1", {
    enableServiceLinks: false,
    runtimeClassName: "kata",
    imagePullSecrets: [{ name: "pull" }],
    volumes: [
      { name: "1", configMap: { name: "cm-volume" } },
      { name: "2", secret: { secretName: "s-volume" } },
      {
        name: "3",
        projected: {
          sources: [{ configMap: { name: "cm-proj" } }, { secret: { name: "s-proj" } }],
        },
      },
      { name: "4", emptyDir: {} },
    ],
    containers: [{
      name: "c",
      image: "i",
      env: [
        { name: "A", valueFrom: { configMapKeyRef: { name: "cm-env", key: "k" } } },
        { name: "B", valueFrom: { secretKeyRef: { name: "s-env", key: "k" } } },
        { name: "C", value: "plain" },
      ],
    }],
    ephemeralContainers: [{
      name: "e",
      image: "i",
      env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cm-debug", key: "k" } } }],
    }],
    initContainers: [{
      name: "i",
      image: "i",
      envFrom: [{ configMapRef: { name: "cm-from" } }, { secretRef: { name: "s-from" } }],
    }],
  });
  assert.deepEqual(keys(index([everything])), [
    "configmaps/a/cm-debug",
    "configmaps/a/cm-env",
    "configmaps/a/cm-from",
    "configmaps/a/cm-proj",
    "configmaps/a/cm-volume",
    "nodes//n1",
    "pods/a/p",
    "runtimeclasses.node.k8s.io//kata",
    "secrets/a/pull",
    "secrets/a/s-env",
    "secrets/a/s-from",
    "secrets/a/s-proj",
    "secrets/a/s-volume",
    "services/default/kubernetes",
  ]);
});

Deno.test("interestOf() takes the Services with an address of pods that want links, before them", () => {
  assert.deepEqual([...interestOf("n1", index([pod("p", "n1")]))], [
    "nodes//n1",
    "services/default/kubernetes",
    "services/a/web",
    "pods/a/p",
  ]);
});

Deno.test("interestOf() takes what a pod's claim leads to on this node, before the pod", () => {
  const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "data" } }];
  const keys = [...interestOf("n1", index([pod("p", "n1", { volumes })]))];
  const [attachment, ...rest] = keys.slice(-4);
  assert.match(attachment ?? "", /^volumeattachments\.storage\.k8s\.io\/\/csi-[0-9a-f]{64}$/);
  assert.deepEqual(rest, ["persistentvolumes//pv", "persistentvolumeclaims/a/data", "pods/a/p"]);
});

Deno.test("interestOf() leaves mirror pods out with all that they name", () => {
  const mirror = pod("m", "n1", { volumes: [{ name: "v", secret: { secretName: "stolen" } }] });
  mirror.metadata.annotations = { [MIRROR_ANNOTATION]: "u" };
  assert.deepEqual(keys(index([mirror])), ["nodes//n1"]);
});

Deno.test("interestOf() takes functions by node name and label, with their code", () => {
  const functions = [
    fn("all", undefined),
    fn("named", { nodeNames: ["n1"] }),
    fn("other", { nodeNames: ["n2"] }),
    fn("zone", { nodeSelector: { zone: "z" } }),
    fn("far", { nodeSelector: { zone: "y" } }),
  ];
  const names = keys(index([], functions, { zone: "z" }))
    .filter((key) => key.startsWith("wasm")).map((key) => key.split("/")[2]);
  assert.deepEqual(names, ["all", "named", "zone"]);
  assert.ok(keys(index([], functions)).includes("configmaps/a/named-code"));
});

Deno.test("interestOf() takes nothing by a text that is no name: it could be another object's key", () => {
  const volumes = [
    { name: "s", secret: { secretName: "key/x" } },
    { name: "c", configMap: { name: ".." } },
  ];
  const keys = [...interestOf("n1", index([pod("p", "n1", { volumes })]))];
  assert.deepEqual(keys.filter((key) => /^(secrets|configmaps)/.test(key)), []);
});

Deno.test("interestOf() takes any object without throwing, and gives only names", () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const item = fc.record({
    configMap: json,
    secret: json,
    projected: fc.oneof(json, fc.record({ sources: fc.array(json) })),
    env: fc.oneof(json, fc.array(fc.oneof(json, fc.record({ valueFrom: json })))),
    envFrom: fc.oneof(json, fc.array(fc.oneof(json, fc.record({ secretRef: json })))),
  });
  const list = fc.oneof(json, fc.array(fc.oneof(json, item)));
  const spec = fc.oneof(
    json,
    fc.record({ volumes: list, containers: list, initContainers: list, imagePullSecrets: list }),
    fc.record({ source: json, placement: json }),
  );
  fc.assert(fc.property(spec, (spec) => {
    const odd = { ...pod("p", "n1"), spec: spec as never };
    const oddFunction = { ...fn("f", undefined), spec: spec as never };
    const keys = interestOf("n1", {
      node: () => undefined,
      podsOf: () => [odd],
      functions: () => [oddFunction],
      servicesOf: () => [{ ...service("s", "a"), spec: spec as never }],
      slicesOf: () => [],
      claim: () => ({ ...CLAIM, spec: spec as never }),
      volume: () => ({ ...VOLUME, spec: spec as never }),
    });
    for (const key of keys) assert.match(key, /^[a-z0-9.]+\/(a|default)?\/[^/]+$/);
  }));
});
