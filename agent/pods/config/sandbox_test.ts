import assert from "node:assert/strict";
import type { Container, Pod } from "../../../core/api/mod.ts";
import { PodPaths } from "../paths.ts";
import type { NodePolicy } from "../policy/plan.ts";
import { refusals } from "../policy/support.ts";
import { testPod } from "../testing/mod.ts";
import { podDns } from "./dns.ts";
import { hostsFile } from "./hosts.ts";
import { sandboxConfig } from "./sandbox_config.ts";
import { containerSecurity, sandboxSecurity } from "./security.ts";

const PLACE = {
  paths: new PodPaths({ stateDir: "/s", logDir: "/l" }),
  node: {
    nodeName: "n1",
    clusterDns: ["10.96.0.10"],
    clusterDomain: "cluster.local",
    nodeDns: { servers: ["192.0.2.53"], searches: ["lan"] },
  },
};
const NODE: NodePolicy = {
  nodeName: "n1",
  runtime: "fake",
  hostIPs: [],
  allowPrivileged: false,
  recursiveReadOnly: false,
  strictGroups: false,
  memoryVolumes: true,
};

function withContainer(part: Partial<Container>, spec: Partial<Pod["spec"]> = {}): Pod {
  return testPod("p", { ...spec, containers: [{ name: "main", image: "app:1", ...part }] });
}

function main(pod: Pod): Container {
  const [first] = pod.spec.containers;
  assert.ok(first);
  return first;
}

Deno.test("podDns() follows dnsPolicy and joins dnsConfig", () => {
  const dns = (spec: Partial<Pod["spec"]>): unknown => podDns(testPod("p", spec), PLACE.node).dns;
  assert.deepEqual(dns({}), {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan"],
    options: ["ndots:5"],
  });
  assert.equal(dns({ dnsPolicy: "Default" }), undefined);
  assert.equal(dns({ hostNetwork: true }), undefined);
  assert.ok(dns({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }));
  assert.deepEqual(dns({ dnsPolicy: "Default", dnsConfig: { searches: ["x", "lan"] } }), {
    servers: ["192.0.2.53"],
    searches: ["lan", "x"],
    options: [],
  });
  const options = [{ name: "ndots", value: "2" }, { name: "edns0" }];
  assert.deepEqual(dns({ dnsConfig: { options, nameservers: ["10.96.0.10"] } }), {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan"],
    options: ["ndots:2", "edns0"],
  });
  assert.deepEqual(dns({ dnsPolicy: "None", dnsConfig: { nameservers: ["192.0.2.1"] } }), {
    servers: ["192.0.2.1"],
    searches: [],
    options: [],
  });
});

Deno.test("podDns() cuts where resolvers do, and says what it left out", () => {
  const nameservers = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
  const searches = Array.from({ length: 40 }, (_, at) => `s${at}.example`);
  const pod = testPod("p", { dnsPolicy: "None", dnsConfig: { nameservers, searches } });
  const { dns, complaints } = podDns(pod, PLACE.node);
  assert.deepEqual(dns?.servers, nameservers.slice(0, 3));
  assert.equal(dns?.searches.length, 32);
  assert.match(complaints[0] ?? "", /^Nameserver limits were exceeded, .*192\.0\.2\.3$/);
  assert.match(complaints[1] ?? "", /^Search Line limits were exceeded/);
});

Deno.test("sandboxConfig() names ports, host names, settings, handler and slice", () => {
  const ports = [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }];
  const sidecar = {
    ...{ name: "side", image: "a", restartPolicy: "Always" as const },
    ports: [{ containerPort: 9, hostPort: 9, protocol: "UDP" as const }],
  };
  const pod = withContainer({ ports }, {
    initContainers: [sidecar, {
      name: "init",
      image: "a",
      ports: [{ containerPort: 1, hostPort: 1 }],
    }],
    securityContext: { sysctls: [{ name: "net/core/somaxconn", value: "1024" }] },
    hostname: "web",
    subdomain: "svc",
    setHostnameAsFQDN: true,
  });
  const made = sandboxConfig(pod, 0, { ...PLACE, handler: "kata", systemdCgroups: true });
  assert.deepEqual(made.portMappings, [
    { protocol: "UDP", containerPort: 9, hostPort: 9, hostIp: "" },
    { protocol: "TCP", containerPort: 80, hostPort: 8080, hostIp: "" },
  ]);
  assert.equal(made.logDirectory, "/l/default_p_uid-p");
  assert.equal(made.hostname, "web.svc.default.svc.cluster.local");
  assert.deepEqual(made.sysctls, { "net.core.somaxconn": "1024" });
  assert.equal(made.runtimeHandler, "kata");
  assert.equal(made.cgroupParent, "kubepods.slice");
  pod.spec.hostname = "x".repeat(60);
  assert.throws(() => sandboxConfig(pod, 0, PLACE), /failed to construct FQDN .* is too long/);
  const alone = sandboxConfig(testPod("p", { setHostnameAsFQDN: true }), 0, PLACE);
  assert.equal(alone.hostname, "p");
  assert.equal(alone.cgroupParent, "/kubepods");
});

Deno.test("hostnameOverride wins, may have dots, and is in no domain", () => {
  const pod = testPod("p", {
    hostname: "h",
    subdomain: "svc",
    hostnameOverride: "my.host.example",
  });
  assert.equal(sandboxConfig(pod, 0, PLACE).hostname, "my.host.example");
  const hosts = hostsFile(pod, { ips: ["192.0.2.5"], clusterDomain: "cluster.local" });
  assert.match(hosts, /^192\.0\.2\.5\tmy\.host\.example$/m);
});

Deno.test("hostsFile() keeps the node's file for a pod on the host's network", () => {
  const aliases = [{ ip: "192.0.2.9", hostnames: ["db", "db.local"] }];
  const pod = testPod("p", { hostNetwork: true, hostAliases: aliases });
  const options = { ips: [], clusterDomain: "cluster.local", nodeHosts: "127.0.0.1 localhost\n" };
  assert.equal(
    hostsFile(pod, options),
    "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n" +
      "\n# Entries added by HostAliases.\n192.0.2.9\tdb\tdb.local\n",
  );
});

Deno.test("containerSecurity() lets the container's word win over the pod's", () => {
  const pod = withContainer({
    securityContext: {
      runAsUser: 5,
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_ADMIN"] },
    },
  });
  pod.spec.securityContext = { runAsUser: 1, runAsGroup: 2, fsGroup: 9, supplementalGroups: [7] };
  assert.deepEqual(containerSecurity(pod, main(pod)), {
    supplementalGroups: [7, 9],
    runAsUser: 5,
    runAsGroup: 2,
    noNewPrivileges: true,
    addCapabilities: ["NET_ADMIN"],
  });
  assert.equal(sandboxSecurity(pod).runAsUser, 1);
});

Deno.test("the container's SELinux label wins over the pod's as a whole, and the sandbox has the pod's", () => {
  const pod = withContainer({ securityContext: { seLinuxOptions: { level: "s0:c5" } } }, {
    securityContext: { seLinuxOptions: { level: "s0", type: "spc_t" } },
  });
  assert.deepEqual(containerSecurity(pod, main(pod)).seLinux, { level: "s0:c5" });
  assert.deepEqual(sandboxSecurity(pod).seLinux, { level: "s0", type: "spc_t" });
  main(pod).securityContext = {};
  assert.deepEqual(containerSecurity(pod, main(pod)).seLinux, { level: "s0", type: "spc_t" });
});

Deno.test("containerSecurity() gives a group alone to the image's user", () => {
  const pod = testPod("p", { securityContext: { runAsGroup: 9 } });
  const of = (image: { uid?: number; user?: string }): unknown =>
    containerSecurity(pod, main(pod), { image });
  assert.deepEqual(of({ uid: 1000 }), { runAsUser: 1000, runAsGroup: 9 });
  assert.deepEqual(of({ user: "app" }), { runAsUserName: "app", runAsGroup: 9 });
  assert.deepEqual(of({}), { runAsUser: 0, runAsGroup: 9 });
  assert.deepEqual(sandboxSecurity(pod), {});
});

Deno.test("containerSecurity() finds profiles: the container's, its annotation's, the pod's", () => {
  const pod = withContainer({}, {
    securityContext: {
      seccompProfile: { type: "Localhost", localhostProfile: "profiles/audit.json" },
      appArmorProfile: { type: "RuntimeDefault" },
    },
  });
  const { seccompProfile, apparmorProfile } = containerSecurity(pod, main(pod));
  assert.equal(seccompProfile, "localhost//var/lib/kubelet/seccomp/profiles/audit.json");
  assert.equal(apparmorProfile, "RuntimeDefault");
  const key = "container.apparmor.security.beta.kubernetes.io/main";
  pod.metadata.annotations = { [key]: "localhost/mine" };
  assert.equal(containerSecurity(pod, main(pod)).apparmorProfile, "localhost/mine");
  main(pod).securityContext = { appArmorProfile: { type: "Unconfined" } };
  assert.equal(containerSecurity(pod, main(pod)).apparmorProfile, "Unconfined");
  pod.metadata.annotations = { [key]: "unsure" };
  assert.deepEqual(refusals(pod, NODE).map(({ field }) => field), [`metadata.annotations[${key}]`]);
  for (const path of ["../x", "/etc/x", "a/../../x", ""]) {
    pod.spec.securityContext = { seccompProfile: { type: "Localhost", localhostProfile: path } };
    assert.throws(() => sandboxSecurity(pod), /must be a path below/, path);
  }
});

Deno.test("refusals() names what of resources, groups and mounts this node has not", () => {
  const pod = withContainer({
    resources: {
      limits: { "hugepages-2Mi": "4Mi" },
      requests: { cpu: "1", "example.com/gpu": "1", wheels: "4" },
    },
    volumeMounts: [{ name: "v", mountPath: "/v", readOnly: true, recursiveReadOnly: "Enabled" }],
    env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.restartPolicy" } } }],
    securityContext: { procMount: "Unmasked" },
  }, {
    securityContext: { supplementalGroupsPolicy: "Strict" },
    hostUsers: false,
    volumes: [{ name: "v", nfs: { server: "x", path: "/" } }],
  });
  const fields = (node: NodePolicy): string[] =>
    refusals(pod, node).map(({ field }) => field).sort();
  const always = [
    "spec.containers[0].env[0].valueFrom.fieldRef",
    "spec.containers[0].resources.limits",
    "spec.containers[0].resources.requests",
    "spec.containers[0].securityContext.procMount",
    "spec.hostUsers",
    "spec.volumes[0].nfs",
  ];
  assert.deepEqual(fields({ ...NODE, strictGroups: true, recursiveReadOnly: true }), always);
  assert.deepEqual(
    fields(NODE),
    [
      ...always,
      "spec.containers[0].volumeMounts[0].recursiveReadOnly",
      "spec.securityContext.supplementalGroupsPolicy",
    ].sort(),
  );
});
