import assert from "node:assert/strict";
import type { Pod, Service } from "../../../core/api/mod.ts";
import { hostsFile } from "./hosts.ts";
import { localApiAddress, localApiHosts, withLocalApi } from "./local_api.ts";
import { serviceEnv } from "./service_env.ts";

function podWith(spec: Record<string, unknown>): Pod {
  const metadata = { name: "web", namespace: "shop", uid: "u" };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [], ...spec } } as Pod;
}

function service(namespace: string, name: string): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443, protocol: "TCP" }] },
  } as Service;
}

Deno.test("withLocalApi() puts this node's API in the place of the cluster's and leaves other Services", () => {
  const services = [service("default", "kubernetes"), service("shop", "db")];
  const env = serviceEnv(podWith({}), withLocalApi(services, 10550));
  assert.equal(env.get("KUBERNETES_SERVICE_HOST"), "kubernetes.default.svc");
  assert.equal(env.get("KUBERNETES_SERVICE_PORT"), "10550");
  assert.equal(env.get("KUBERNETES_SERVICE_PORT_HTTPS"), "10550");
  assert.equal(env.get("DB_SERVICE_HOST"), "10.96.0.1");
  assert.equal(env.get("DB_SERVICE_PORT"), "443");
});

Deno.test("localApiAddress() is the loopback, the host's address beside the pod, or the node's", () => {
  const interfaces = [
    { address: "127.0.0.1", cidr: "127.0.0.1/8" },
    { address: "192.0.2.7", cidr: "192.0.2.7/24" },
    { address: "10.42.0.1", cidr: "10.42.0.1/24" },
    { address: "fd00::1", cidr: "fd00::1/64" },
  ];
  const hostIPs = ["192.0.2.7", "2001:db8::7"];
  const at = (pod: Pod, ...podIPs: string[]) =>
    localApiAddress(pod, { podIPs, hostIPs, interfaces });
  assert.equal(at(podWith({ hostNetwork: true }), "192.0.2.7"), "127.0.0.1");
  assert.equal(at(podWith({}), "10.42.0.9"), "10.42.0.1");
  assert.equal(at(podWith({}), "fd00::9"), "fd00::1");
  assert.equal(at(podWith({}), "10.99.0.9"), "192.0.2.7");
  assert.equal(at(podWith({}), "fd99::9"), "2001:db8::7");
});

Deno.test("localApiHosts() leaves names to the pod that names them itself", () => {
  const options = { ips: ["10.42.0.9"], clusterDomain: "cluster.local" };
  const plain = localApiHosts("10.42.0.1", hostsFile(podWith({}), options));
  assert.match(
    plain,
    /^10\.42\.0\.1\tkubernetes\.default\.svc\tkubernetes\.default\tkubernetes\tkubernetes\.default\.svc\.cluster\.local$/m,
  );
  const aliased = podWith({
    hostAliases: [{ ip: "192.0.2.9", hostnames: ["kubernetes.default.svc"] }],
  });
  const text = localApiHosts("10.42.0.1", hostsFile(aliased, options));
  assert.doesNotMatch(text, /kubernetes\.default\.svc\t/);
  assert.match(text, /kubernetes\.default\t/);
});
