import assert from "node:assert/strict";
import type { Container, Probe } from "../../../core/api/mod.ts";
import { probesOf } from "./spec.ts";

function handler(probe: Probe, more: Partial<Container> = {}): unknown {
  return probesOf({ name: "c", image: "i", ...more, livenessProbe: probe })?.liveness?.handler;
}

Deno.test("probesOf() fills in Kubernetes' defaults", () => {
  const { readiness } =
    probesOf({ name: "c", image: "i", readinessProbe: { grpc: { port: 1 } } }) ??
      {};
  assert.deepEqual(readiness, {
    handler: { type: "grpc", port: 1, service: "" },
    initialDelay: 0,
    period: 10_000,
    timeout: 1000,
    successThreshold: 1,
    failureThreshold: 3,
  });
});

Deno.test("probesOf() finds none in a container without probes", () => {
  assert.equal(probesOf({ name: "c", image: "i" }), undefined);
});

const http = { type: "http", scheme: "http", host: "", port: 80, path: "/", headers: [] };
const CASES: [name: string, probe: Probe, expected: unknown][] = [
  ["http by number", { httpGet: { port: 80 } }, http],
  ["a number as text", { httpGet: { port: "80" } }, http],
  ["a named port", { httpGet: { port: "web" } }, { ...http, port: 8080 }],
  ["https", { httpGet: { port: 80, scheme: "HTTPS" } }, { ...http, scheme: "https" }],
  ["a path and headers", {
    httpGet: { port: 80, path: "/a?b", httpHeaders: [{ name: "X", value: "y" }] },
  }, { ...http, path: "/a?b", headers: [{ name: "X", value: "y" }] }],
  ["localhost is loopback", { httpGet: { port: 80, host: "localhost" } }, {
    ...http,
    host: "127.0.0.1",
  }],
  ["tcp", { tcpSocket: { port: "web", host: "10.0.0.1" } }, {
    type: "tcp",
    host: "10.0.0.1",
    port: 8080,
  }],
  ["grpc", { grpc: { port: 5000, service: "db" } }, { type: "grpc", port: 5000, service: "db" }],
  ["exec knows literal values alone", { exec: { command: ["$(A)", "$(B)", "$(C)", "$$(A)"] } }, {
    type: "exec",
    command: ["1", "", "$(C)", "$(A)"],
  }],
  ["an unknown port", { tcpSocket: { port: "none" } }, {
    type: "none",
    why: 'container c has no port "none"',
  }],
  ["a port out of range", { tcpSocket: { port: 70000 } }, {
    type: "none",
    why: "container c has no port 70000",
  }],
  ["nothing", {}, { type: "none", why: "the probe names nothing to ask" }],
  ["exec without a command", { exec: {} }, { type: "none", why: "exec names no command" }],
];
for (const [name, probe, expected] of CASES) {
  Deno.test(`probesOf() reads ${name}`, () => {
    const more = {
      ports: [{ name: "web", containerPort: 8080 }, { containerPort: 9000 }],
      env: [{ name: "A", value: "1" }, { name: "B", valueFrom: {} }],
    };
    assert.deepEqual(handler(probe, more), expected);
  });
}
