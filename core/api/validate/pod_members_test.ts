import { deepStrictEqual, match } from "node:assert/strict";
import { RESOURCES } from "../resources.ts";
import type { KubeObject } from "../object.ts";
import { setDefaults } from "./defaults.ts";
import { podProblems } from "./pod.ts";

// deno-lint-ignore no-explicit-any -- manifests as people write them
type Any = any;

function problems(spec: Any, container: Any = {}): string[] {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { ...spec, containers: [{ name: "c", image: "i", ...container }] },
  } as KubeObject;
  setDefaults(RESOURCES.pods, pod);
  return podProblems(pod).map(({ field, message }) => `${field}: ${message}`);
}

const volume = (source: object): Any => ({ volumes: [{ name: "v", ...source }] });

/** What a spec, or its container, is refused for. */
const REFUSED: readonly [what: string, spec: Any, container: Any, said: RegExp][] = [
  ["two sources of a variable", {}, {
    env: [{ name: "A", valueFrom: { fieldRef: {}, configMapKeyRef: { name: "a", key: "b" } } }],
  }, /env\[0\]\.valueFrom: .*more than one/],
  ["no source of a variable", {}, { env: [{ name: "A", valueFrom: {} }] }, /must specify one of/],
  ["a configMap's key without a name", {}, {
    env: [{ name: "A", valueFrom: { configMapKeyRef: { key: "b" } } }],
  }, /configMapKeyRef\.name: Required/],
  ["an envFrom of nothing", {}, { envFrom: [{}] }, /envFrom\[0\]: .*must specify one of/],
  ["an envFrom with = in its prefix", {}, {
    envFrom: [{ prefix: "A=", secretRef: { name: "s" } }],
  }, /envFrom\[0\]\.prefix: .*other than '='/],
  ["subPath and subPathExpr", volume({ emptyDir: {} }), {
    volumeMounts: [{ name: "v", mountPath: "/a", subPath: "b", subPathExpr: "c" }],
  }, /mutually exclusive/],
  ["a colon in a path", volume({ emptyDir: {} }), {
    volumeMounts: [{ name: "v", mountPath: "/a:b" }],
  }, /must not contain ':'/],
  ["an alias without an address", { hostAliases: [{ ip: "nope", hostnames: ["a"] }] }, {}, /IP/],
  [
    "an alias with a second line",
    {
      hostAliases: [{ ip: "1.2.3.4", hostnames: ["a\n1.2.3.4 evil"] }],
    },
    {},
    /hostnames\[0\]/,
  ],
  ["a mode beyond 0777", volume({ configMap: { name: "a", defaultMode: 99999 } }), {}, /0777/],
  [
    "an item beyond its volume",
    volume({
      secret: { secretName: "a", items: [{ key: "k", path: "../x" }] },
    }),
    {},
    /items\[0\]\.path/,
  ],
  ["a host path without a path", volume({ hostPath: {} }), {}, /hostPath\.path: Required/],
  ["a configMap without a name", volume({ configMap: {} }), {}, /configMap\.name: Required/],
  ["None without nameservers", { dnsPolicy: "None" }, {}, /nameservers: Required/],
  ["a host name that is none", { hostnameOverride: "A_b" }, {}, /hostnameOverride: Invalid/],
  ["a host name of 65", { hostnameOverride: "a".repeat(65) }, {}, /hostnameOverride: Too long/],
  [
    "another host name on the host's network",
    { hostnameOverride: "a.b", hostNetwork: true },
    {},
    /hostnameOverride: Forbidden: may not be specified when hostNetwork is true/,
  ],
  ["two process namespaces", { shareProcessNamespace: true, hostPID: true }, {}, /cannot both/],
  ["privileges and none", {}, {
    securityContext: { privileged: true, allowPrivilegeEscalation: false },
  }, /cannot set/],
  ["a user below zero", {}, { securityContext: { runAsUser: -1 } }, /runAsUser: .*2147483647/],
  ["a group beyond the kernel's", { securityContext: { fsGroup: 2 ** 32 - 1 } }, {}, /fsGroup/],
  [
    "a sysctl that is none",
    { securityContext: { sysctls: [{ name: "a b", value: "1" }] } },
    {},
    /sysctls/,
  ],
  ["a host port twice", {}, {
    ports: [{ containerPort: 1, hostPort: 8080 }, { containerPort: 2, hostPort: 8080 }],
  }, /hostPort: Duplicate/],
  ["another port of the host's network", { hostNetwork: true }, {
    ports: [{ containerPort: 1, hostPort: 2 }],
  }, /must match `hostPort`/],
];

for (const [what, spec, container, said] of REFUSED) {
  Deno.test(`a pod is refused for ${what}`, () => {
    const found = problems(spec, container);
    match(found.join("; "), said);
  });
}

Deno.test("a pod may have all of it in its right form, and empty words for none", () => {
  const spec = {
    ...volume({
      secret: { secretName: "s", defaultMode: 0o400, items: [{ key: "k", path: "a/b" }] },
    }),
    hostAliases: [{ ip: "::1", hostnames: ["a.example"] }, { ip: "10.0.0.1" }],
    ...{ dnsPolicy: "", restartPolicy: "", hostNetwork: true },
    securityContext: { runAsUser: 0, sysctls: [{ name: "net.ipv4/ip_unprivileged_port_start" }] },
  };
  const container = {
    imagePullPolicy: "",
    ports: [{ containerPort: 80, hostPort: 80, protocol: "" }, {
      containerPort: 80,
      protocol: "UDP",
    }],
    env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    envFrom: [{ prefix: "1-$ ", secretRef: { name: "s" } }],
    volumeMounts: [{ name: "v", mountPath: "/a", subPathExpr: "$(A)" }],
  };
  deepStrictEqual(problems(spec, container), []);
  deepStrictEqual(problems({ volumes: [{ name: "v" }] }), []);
});
