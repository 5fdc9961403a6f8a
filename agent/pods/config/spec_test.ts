import assert from "node:assert/strict";
import { type Container, type Pod, qosClass } from "../../../core/api/mod.ts";
import { mib } from "../../../core/base/mod.ts";
import { hostsFile } from "./hosts.ts";
import { pullPolicy } from "../policy/pull_policy.ts";
import { PodPaths } from "../paths.ts";
import { volumePayload } from "../volumes/payload.ts";
import type { NodePolicy, PodObjects } from "../policy/plan.ts";
import { parseResolvConf } from "./resolv_conf.ts";
import { cgroupNumbers } from "../policy/resources.ts";
import { refusals } from "../policy/support.ts";
import { TEST_FACTS, testPod } from "../testing/mod.ts";

const NODE: NodePolicy = {
  nodeName: "n1",
  runtime: "containerd",
  hostIPs: [],
  allowPrivileged: false,
  recursiveReadOnly: false,
  strictGroups: false,
  memoryVolumes: false,
};
const OBJECTS: PodObjects = {
  tokens: {},
  configMaps: { cm: { data: { a: "1", b: "$(A)" }, binary: { blob: btoa("bin") } } },
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

Deno.test("qosClass() and cgroupNumbers() compute what the kubelet computes", () => {
  const cases: [Container["resources"], string, object][] = [
    [undefined, "BestEffort", { cpuShares: 2, oomScoreAdj: 1000 }],
    [
      { limits: { cpu: "500m", memory: "64Mi" } },
      "Guaranteed",
      {
        cpuShares: 512,
        cpuPeriod: 100_000,
        cpuQuota: 50_000,
        memoryLimit: mib(64),
        oomScoreAdj: -997,
      },
    ],
    [
      { requests: { cpu: "100m", memory: "1Gi" }, limits: { cpu: "1m" } },
      "Burstable",
      { cpuShares: 102, cpuPeriod: 100_000, cpuQuota: 1000, oomScoreAdj: 750 },
    ],
  ];
  for (const [resources, qos, numbers] of cases) {
    const pod = withContainer(resources ? { resources } : {});
    assert.equal(qosClass(pod.spec), qos);
    assert.deepEqual(cgroupNumbers(pod, main(pod), TEST_FACTS.memoryCapacity), numbers);
  }
});

Deno.test("refusals() names every field that would be ignored, and no other", () => {
  const fine = withContainer({
    securityContext: { capabilities: { drop: ["ALL"] }, privileged: false },
    resources: { limits: { cpu: "1" } },
    env: [{ name: "A", value: "" }],
  });
  fine.spec.tolerations = [{ operator: "Exists" }];
  fine.spec.securityContext = {};
  fine.spec.dnsPolicy = "ClusterFirst";
  fine.spec.volumes = [{ name: "v", emptyDir: {} }, { name: "h", hostPath: { path: "/x" } }];
  assert.deepEqual(refusals(fine, NODE), []);
  // That is for `admit()`, which fails the pod.
  assert.deepEqual(refusals(testPod("p", { os: { name: "windows" } }), NODE), []);
  const bad = withContainer({
    lifecycle: { stopSignal: "SIGINT", preStop: { sleep: { seconds: 1 } } },
    securityContext: { privileged: true },
  });
  bad.spec.volumes = [
    { name: "m", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
    { name: "c", persistentVolumeClaim: { claimName: "x" } },
    { name: "t", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
  ];
  bad.spec.initContainers = [{ name: "side", image: "a", restartPolicy: "Always", novelty: 1 }];
  bad.spec.whatever = 1;
  assert.deepEqual(refusals(bad, NODE).map((one) => one.field), [
    "spec.containers[0].lifecycle.stopSignal",
    "spec.containers[0].securityContext.privileged",
    "spec.volumes[0].emptyDir.medium",
    "spec.volumes[1].persistentVolumeClaim",
    "spec.volumes[2].projected.sources[0].serviceAccountToken",
    "spec.initContainers[0].novelty",
    "spec.whatever",
  ]);
  const open = { ...NODE, allowPrivileged: true, memoryVolumes: true };
  assert.equal(refusals(bad, open).length, 4);
});

Deno.test("pullPolicy() is Always for latest and IfNotPresent for the rest", () => {
  const cases: [string, string][] = [
    ["app", "Always"],
    ["app:latest", "Always"],
    ["host:5000/app", "Always"],
    ["host:5000/app:1", "IfNotPresent"],
    ["app@sha256:abc", "IfNotPresent"],
  ];
  for (const [image, expected] of cases) assert.equal(pullPolicy({ image }), expected, image);
  assert.equal(pullPolicy({ image: "app", imagePullPolicy: "Never" }), "Never");
});

Deno.test("volumePayload() chooses items, modes and sources", () => {
  const scope = { pod: testPod("p"), objects: OBJECTS, facts: TEST_FACTS };
  const files = volumePayload({
    name: "v",
    projected: {
      defaultMode: 0o400,
      sources: [
        { configMap: { name: "cm", items: [{ key: "a", path: "x/a", mode: 0o777 }] } },
        { secret: { name: "sec" } },
        { downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] } },
      ],
    },
  }, scope);
  const shown = [...files ?? []].map(([path, file]) => [
    path,
    file.mode,
    new TextDecoder().decode(file.content),
  ]);
  assert.deepEqual(shown, [["x/a", 0o777, "1"], ["key", 0o400, "top"], ["name", 0o400, "p"]]);
  assert.throws(
    () => volumePayload({ name: "v", configMap: { name: "none" } }, scope),
    /not found/,
  );
  assert.equal(
    volumePayload({ name: "v", configMap: { name: "none", optional: true } }, scope)?.size,
    0,
  );
});

Deno.test("hostsFile() has the pod's own name and its aliases", () => {
  const pod = testPod("p", {
    subdomain: "sub",
    hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }],
  });
  const text = hostsFile(pod, { ips: ["10.0.0.2"], clusterDomain: "cluster.local" });
  assert.match(text, /^10\.0\.0\.2\tp\.sub\.default\.svc\.cluster\.local\tp$/m);
  assert.match(text, /^1\.2\.3\.4\ta\tb$/m);
});

Deno.test("PodPaths refuses names that lead elsewhere", () => {
  const paths = new PodPaths({ stateDir: "/s", logDir: "/l" });
  for (const bad of ["..", "a/b", "", ".x", "a..b", "x".repeat(300), "a\0"]) {
    assert.throws(() => paths.pod(bad), /cannot be part of a path/, JSON.stringify(bad));
  }
  assert.equal(paths.pod("u-1"), "/s/pods/u-1");
});

Deno.test("parseResolvConf() reads servers and the last search line", () => {
  const text =
    "# x\nnameserver 1.1.1.1 # y\nsearch a b\n\nnameserver ::1\nsearch c\noptions ndots:2";
  assert.deepEqual(parseResolvConf(text), { servers: ["1.1.1.1", "::1"], searches: ["c"] });
});
