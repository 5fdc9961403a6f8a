import assert from "node:assert/strict";
import type { Container, Pod, Service } from "../../../core/api/mod.ts";
import { resolveEnv } from "./env.ts";
import { expandVariables } from "./expand.ts";
import { fieldValue, resourceFieldValue } from "./field_ref.ts";
import type { PodObjects } from "../policy/plan.ts";
import { TEST_FACTS, testPod } from "../testing/mod.ts";

const OBJECTS: PodObjects = {
  tokens: {},
  configMaps: { cm: { data: { a: "1", b: "$(A)" }, binary: { blob: "AAEC" } } },
  secrets: { sec: { data: {}, binary: { key: btoa("top") } } },
};

function main(pod: Pod): Container {
  const [first] = pod.spec.containers;
  assert.ok(first);
  return first;
}

function withContainer(part: Partial<Container>): Pod {
  return testPod("p", { containers: [{ name: "main", image: "app:1", ...part }] });
}

Deno.test("expandVariables() follows Kubernetes' rules", () => {
  const values = new Map([["A", "1"], ["B", "$(A)"]]);
  for (
    const [text, expected] of [
      ["$(A)-$(B)", "1-$(A)"],
      ["$$(A)", "$(A)"],
      ["$$$(A)", "$1"],
      ["$(NONE) $A $", "$(NONE) $A $"],
      ["$(A", "$(A"],
      ["$()", "$()"],
    ]
  ) assert.equal(expandVariables(text ?? "", values), expected);
});

Deno.test("resolveEnv() reads every source in order, later ones winning", () => {
  const pod = withContainer({
    envFrom: [{ prefix: "C_", configMapRef: { name: "cm" } }, {
      secretRef: { name: "none", optional: true },
    }],
    env: [
      { name: "A", value: "x" },
      { name: "B", value: "$(A)$(C_a)$(LATER)" },
      { name: "LATER", valueFrom: { secretKeyRef: { name: "sec", key: "key" } } },
      { name: "C_a", valueFrom: { configMapKeyRef: { name: "cm", key: "b" } } },
      { name: "NO", valueFrom: { configMapKeyRef: { name: "cm", key: "z", optional: true } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      {
        name: "MEM",
        valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
      },
      { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
    ],
    resources: { limits: { memory: "100Mi" } },
  });
  const env = resolveEnv({ pod, container: main(pod), objects: OBJECTS, facts: TEST_FACTS });
  assert.deepEqual(Object.fromEntries(env), {
    C_a: "$(A)",
    C_b: "$(A)",
    A: "x",
    B: "x1$(LATER)",
    LATER: "top",
    IP: "10.0.0.2",
    MEM: "100",
    CPU: "4",
  });
});

Deno.test("resolveEnv() names what is missing", () => {
  const cases: [Partial<Container>, RegExp][] = [
    [{ envFrom: [{ secretRef: { name: "none" } }] }, /secret "none" not found/],
    [
      { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "sec", key: "z" } } }] },
      /key z in Sec/,
    ],
    [{ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.no" } } }] }, /"spec\.no"/],
  ];
  for (const [part, expected] of cases) {
    const pod = withContainer(part);
    const input = { pod, container: main(pod), objects: OBJECTS, facts: TEST_FACTS };
    assert.throws(() => resolveEnv(input), expected);
  }
});

Deno.test("resolveEnv() takes every key and prefix as the name of a variable", () => {
  const pod = withContainer({
    envFrom: [
      { configMapRef: { name: "odd" } },
      { prefix: "1-", configMapRef: { name: "odd" } },
      { prefix: "$_ ", configMapRef: { name: "odd" } },
    ],
  });
  const odd = { data: { "1a": "x", "..b": "y" }, binary: {} };
  const objects = { configMaps: { odd }, secrets: {}, tokens: {} };
  const env = resolveEnv({ pod, container: main(pod), objects, facts: TEST_FACTS });
  assert.deepEqual(Object.fromEntries(env), {
    "1a": "x",
    "..b": "y",
    "1-1a": "x",
    "1-..b": "y",
    "$_ 1a": "x",
    "$_ ..b": "y",
  });
});

Deno.test("resolveEnv() tells of Services as a kubelet does, the pod's own variables winning", () => {
  const service = (name: string, namespace: string, spec: Service["spec"] = {}): Service => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { clusterIP: "10.96.0.9", ports: [{ port: 80 }], ...spec },
  });
  const services = [
    service("kubernetes", "default", {
      clusterIP: "10.96.0.1",
      ports: [{ name: "https", port: 443 }],
    }),
    service("my-db", "a", {
      clusterIP: "fd00::2",
      ports: [{ name: "sql-rw", port: 5432 }, { name: "dns", port: 53, protocol: "UDP" }],
    }),
    service("headless", "a", { clusterIP: "None" }),
    service("portless", "a", { ports: [] }),
    service("elsewhere", "default"),
  ];
  const pod = withContainer({
    env: [{ name: "URL", value: "$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL_RW)" }, {
      name: "MY_DB_PORT",
      value: "mine",
    }],
  });
  pod.metadata.namespace = "a";
  const input = { pod, container: main(pod), objects: OBJECTS, facts: TEST_FACTS, services };
  const kubernetes = {
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT: "443",
    KUBERNETES_SERVICE_PORT_HTTPS: "443",
    KUBERNETES_PORT: "tcp://10.96.0.1:443",
    KUBERNETES_PORT_443_TCP: "tcp://10.96.0.1:443",
    KUBERNETES_PORT_443_TCP_PROTO: "tcp",
    KUBERNETES_PORT_443_TCP_PORT: "443",
    KUBERNETES_PORT_443_TCP_ADDR: "10.96.0.1",
  };
  assert.deepEqual(Object.fromEntries(resolveEnv(input)), {
    ...kubernetes,
    URL: "fd00::2:5432",
    MY_DB_PORT: "mine",
    MY_DB_SERVICE_HOST: "fd00::2",
    MY_DB_SERVICE_PORT: "5432",
    MY_DB_SERVICE_PORT_SQL_RW: "5432",
    MY_DB_SERVICE_PORT_DNS: "53",
    MY_DB_PORT_5432_TCP: "tcp://[fd00::2]:5432",
    MY_DB_PORT_5432_TCP_PROTO: "tcp",
    MY_DB_PORT_5432_TCP_PORT: "5432",
    MY_DB_PORT_5432_TCP_ADDR: "fd00::2",
    MY_DB_PORT_53_UDP: "udp://[fd00::2]:53",
    MY_DB_PORT_53_UDP_PROTO: "udp",
    MY_DB_PORT_53_UDP_PORT: "53",
    MY_DB_PORT_53_UDP_ADDR: "fd00::2",
  });
  pod.spec["enableServiceLinks"] = false;
  const values = resolveEnv(input);
  assert.deepEqual([...values.keys()].filter((name) => name.startsWith("MY_DB")), ["MY_DB_PORT"]);
  assert.equal(values.get("KUBERNETES_SERVICE_HOST"), "10.96.0.1");
  assert.equal(values.get("URL"), "$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL_RW)");
});

Deno.test("resourceFieldValue() divides and rounds as Kubernetes does", () => {
  const pod = withContainer({
    resources: {
      limits: { cpu: "1250m", memory: "100M" },
      requests: { "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi" },
    },
  });
  const cases: [resource: string, divisor: string | undefined, value: string][] = [
    ["limits.cpu", undefined, "2"],
    ["limits.cpu", "1m", "1250"],
    ["limits.cpu", "500m", "3"],
    ["requests.cpu", "1m", "1250"],
    ["limits.memory", "1Mi", "96"],
    ["limits.memory", "0", "100000000"],
    ["requests.ephemeral-storage", "1Mi", "1024"],
    ["limits.ephemeral-storage", "1Gi", "64"],
    ["requests.hugepages-2Mi", undefined, "4194304"],
    ["limits.hugepages-2Mi", undefined, "0"],
  ];
  for (const [resource, divisor, value] of cases) {
    const ref = { resource, ...(divisor === undefined ? {} : { divisor }) };
    assert.equal(resourceFieldValue(pod, main(pod), ref, TEST_FACTS), value, resource);
  }
  const none = withContainer({});
  assert.equal(resourceFieldValue(none, main(none), { resource: "limits.cpu" }, TEST_FACTS), "4");
  assert.equal(resourceFieldValue(none, main(none), { resource: "requests.cpu" }, TEST_FACTS), "0");
  assert.throws(
    () => resourceFieldValue(none, main(none), { resource: "limits.gpu" }, TEST_FACTS),
    /gpu/,
  );
});

Deno.test("fieldValue() writes labels as Go quotes texts", () => {
  const pod = testPod("p");
  pod.metadata.annotations = { a: 'ä\n\t\u0001\u2028\\"', b: "plain" };
  assert.equal(
    fieldValue(pod, "metadata.annotations", TEST_FACTS),
    'a="ä\\n\\t\\x01\\u2028\\\\\\""\nb="plain"',
  );
});

Deno.test("fieldValue() shows labels one by one and as a file", () => {
  const pod = testPod("p");
  pod.metadata.labels = { b: "2", a: 'x"y' };
  assert.equal(fieldValue(pod, "metadata.labels['b']", TEST_FACTS), "2");
  assert.equal(fieldValue(pod, "metadata.labels", TEST_FACTS), 'a="x\\"y"\nb="2"');
  assert.equal(fieldValue(pod, "metadata.annotations['none']", TEST_FACTS), "");
});
