import assert from "node:assert/strict";
import type { KubeObject } from "../object.ts";
import { RESOURCES } from "../resources.ts";
import { setDefaults, validateObject } from "./mod.ts";

function pod(container: object, more: object = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { containers: [{ name: "c", image: "i", ...container }], ...more },
  };
}

function texts(object: KubeObject): string[] {
  return validateObject(RESOURCES.pods, object).map(({ field, message }) => `${field}: ${message}`);
}

const GET = { httpGet: { port: 80 } };
const NONE = "must specify a handler type";

const GOOD: [name: string, container: object][] = [
  ["exec", { livenessProbe: { exec: { command: ["true"] } } }],
  ["http", {
    readinessProbe: {
      httpGet: { path: "/", port: "web", scheme: "HTTPS", httpHeaders: [{ name: "X-A" }] },
      successThreshold: 5,
    },
  }],
  ["tcp by a number as text", { livenessProbe: { tcpSocket: { port: "80" } } }],
  ["grpc", { startupProbe: { grpc: { port: 5000 }, terminationGracePeriodSeconds: 1 } }],
  ["an empty member beside", { livenessProbe: { ...GET, exec: null } }],
];
for (const [name, container] of GOOD) {
  Deno.test(`probeProblems() accepts ${name}`, () => {
    assert.deepEqual(texts(pod(container)), []);
  });
}

const BAD: [name: string, probe: object, text: string][] = [
  ["nothing to ask", {}, `livenessProbe: Required value: ${NONE}`],
  [
    "two handlers",
    { ...GET, grpc: { port: 1 } },
    "livenessProbe.grpc: Forbidden: may not specify more than 1 handler type",
  ],
  ["exec without command", { exec: {} }, "livenessProbe.exec.command: Required value"],
  ["no port", { tcpSocket: {} }, "livenessProbe.tcpSocket.port: Required value"],
  [
    "a port out of range",
    { tcpSocket: { port: 0 } },
    "livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive",
  ],
  [
    "a bad port name",
    { tcpSocket: { port: "a_b" } },
    'livenessProbe.tcpSocket.port: Invalid value: "a_b": must contain only alpha-numeric ' +
    "characters (a-z, 0-9), and hyphens (-), at least one letter, and be no more than 15 characters",
  ],
  [
    "a name for gRPC",
    { grpc: { port: "web" } },
    'livenessProbe.grpc.port: Invalid value: "string": must be of type integer',
  ],
  [
    "another scheme",
    { httpGet: { port: 1, scheme: "FTP" } },
    'livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
  ],
  [
    "a bad header",
    { httpGet: { port: 1, httpHeaders: [{ name: "a b" }] } },
    'livenessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist ' +
    "of alphanumeric characters or '-'",
  ],
  [
    "a negative time",
    { ...GET, periodSeconds: -1 },
    "livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    "two successes for liveness",
    { ...GET, successThreshold: 2 },
    "livenessProbe.successThreshold: Invalid value: 2: must be 1",
  ],
  [
    "no grace",
    { ...GET, terminationGracePeriodSeconds: 0 },
    "livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
  ],
];
for (const [name, livenessProbe, text] of BAD) {
  Deno.test(`probeProblems() refuses ${name}`, () => {
    assert.deepEqual(texts(pod({ livenessProbe })), [`spec.containers[0].${text}`]);
  });
}

Deno.test("probeProblems() lets sidecars have probes, other init containers not, readiness no grace", () => {
  const init = { name: "i", image: "i", livenessProbe: GET };
  assert.deepEqual(texts(pod({}, { initContainers: [init] })), [
    "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without " +
    "restartPolicy=Always",
  ]);
  assert.deepEqual(texts(pod({}, { initContainers: [{ ...init, restartPolicy: "Always" }] })), []);
  const readinessProbe = { ...GET, terminationGracePeriodSeconds: 5 };
  assert.deepEqual(texts(pod({ readinessProbe })), [
    "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not " +
    "be set for readinessProbes",
  ]);
});

Deno.test("setDefaults() takes a zero of a probe for none given", () => {
  const made = pod({ livenessProbe: { ...GET, timeoutSeconds: 0, periodSeconds: 3 } });
  setDefaults(RESOURCES.pods, made);
  assert.deepEqual(made["spec"].containers[0].livenessProbe, {
    httpGet: { port: 80, path: "/", scheme: "HTTP" },
    timeoutSeconds: 1,
    periodSeconds: 3,
    successThreshold: 1,
    failureThreshold: 3,
  });
});
