import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { mib } from "../../../core/base/mod.ts";
import { type ContainerConfig, LABEL, type SandboxConfig } from "../runtime.ts";
import { toContainerConfig, toSandboxConfig } from "./convert.ts";
import {
  type ContainerConfig as CriContainerConfig,
  ContainerConfigSchema,
  NamespaceMode,
  PodSandboxConfigSchema,
} from "./gen/runtime_pb.ts";

const SANDBOX: SandboxConfig = {
  podUid: "uid-1",
  podName: "web",
  podNamespace: "shop",
  attempt: 2,
  hostname: "web",
  logDirectory: "/var/log/pods/x",
  portMappings: [],
  labels: { app: "web" },
  annotations: {},
  securityContext: {},
};

const CONTAINER: ContainerConfig = {
  name: "main",
  attempt: 1,
  image: "sha256:abc",
  command: [],
  args: [],
  workingDir: "",
  env: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: "main/1.log",
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  securityContext: {},
};

function convert(change: Partial<ContainerConfig>): CriContainerConfig {
  return create(
    ContainerConfigSchema,
    toContainerConfig({ ...CONTAINER, ...change }, SANDBOX, "n1"),
  );
}

Deno.test("toSandboxConfig() labels the sandbox so that an agent finds it again", () => {
  const { labels, metadata } = create(PodSandboxConfigSchema, toSandboxConfig(SANDBOX, "n1"));
  assert.deepEqual(labels, {
    app: "web",
    [LABEL.podUid]: "uid-1",
    [LABEL.podName]: "web",
    [LABEL.podNamespace]: "shop",
    [LABEL.node]: "n1",
  });
  assert.equal(metadata?.attempt, 2);
});

Deno.test("toSandboxConfig() sends no host name with the host's network", () => {
  const config = { ...SANDBOX, securityContext: { hostNetwork: true } };
  const { hostname, linux } = create(PodSandboxConfigSchema, toSandboxConfig(config));
  assert.equal(hostname, "");
  assert.equal(linux?.securityContext?.namespaceOptions?.network, NamespaceMode.NODE);
});

Deno.test("toContainerConfig() hides kernel paths unless the container is privileged", () => {
  const plain = convert({}).linux?.securityContext;
  assert.ok(plain?.maskedPaths.includes("/proc/kcore"));
  assert.ok(plain?.readonlyPaths.includes("/proc/sys"));
  const privileged = convert({ securityContext: { privileged: true } }).linux?.securityContext;
  assert.deepEqual([privileged?.maskedPaths, privileged?.readonlyPaths], [[], []]);
});

Deno.test("toContainerConfig() gives each container its own PID namespace unless told otherwise", () => {
  const pid = (securityContext: ContainerConfig["securityContext"]): unknown =>
    convert({ securityContext }).linux?.securityContext?.namespaceOptions?.pid;
  assert.equal(pid({}), NamespaceMode.CONTAINER);
  assert.equal(pid({ sharePid: true }), NamespaceMode.POD);
  assert.equal(pid({ hostPid: true }), NamespaceMode.NODE);
});

Deno.test("toContainerConfig() tells user 0 from no user", () => {
  assert.equal(convert({}).linux?.securityContext?.runAsUser, undefined);
  const root = convert({ securityContext: { runAsUser: 0 } });
  assert.equal(root.linux?.securityContext?.runAsUser?.value, 0n);
});

Deno.test("toContainerConfig() sends limits as CRI counts them", () => {
  const { linux } = convert({
    resources: { cpuShares: 512, cpuQuota: 50_000, cpuPeriod: 100_000, memoryLimit: mib(64) },
  });
  assert.equal(linux?.resources?.cpuShares, 512n);
  assert.equal(linux?.resources?.cpuQuota, 50_000n);
  assert.equal(linux?.resources?.memoryLimitInBytes, 67_108_864n);
});

Deno.test("toContainerConfig() joins the processes of the container that it targets", () => {
  const { linux } = convert({ securityContext: { sharePid: true, targetContainerId: "c1" } });
  const { pid, targetId } = linux?.securityContext?.namespaceOptions ?? {};
  assert.deepEqual([pid, targetId], [NamespaceMode.TARGET, "c1"]);
});

Deno.test("toContainerConfig() names CDI devices and read-only mounts", () => {
  const { CDIDevices, mounts } = convert({
    cdiDevices: ["vendor.com/gpu=0"],
    mounts: [{
      containerPath: "/data",
      hostPath: "/srv",
      readonly: true,
      recursiveReadOnly: true,
      propagation: "private",
    }],
  });
  assert.deepEqual(CDIDevices.map(({ name }) => name), ["vendor.com/gpu=0"]);
  assert.deepEqual(mounts.map((mount) => [mount.readonly, mount.recursiveReadOnly]), [[
    true,
    true,
  ]]);
});

const APPARMOR: [profile: string | undefined, name: string, ref: string | undefined][] = [
  [undefined, "", undefined],
  ["RuntimeDefault", "runtime/default", ""],
  ["Unconfined", "unconfined", ""],
  ["localhost/tight", "localhost/tight", "tight"],
];
for (const [profile, name, ref] of APPARMOR) {
  Deno.test(`toContainerConfig() sends AppArmor profile ${profile} in both of CRI's forms`, () => {
    const securityContext = profile === undefined ? {} : { apparmorProfile: profile };
    const { apparmor, apparmorProfile } = convert({ securityContext }).linux?.securityContext ?? {};
    assert.deepEqual([apparmorProfile, apparmor?.localhostRef], [name, ref]);
  });
}

Deno.test("the SELinux label is sent for sandbox and container, and what gets it", () => {
  const seLinux = { user: "system_u", role: "system_r", type: "container_t", level: "s0:c1,c2" };
  const mount = {
    containerPath: "/a",
    hostPath: "/b",
    readonly: false,
    propagation: "private",
  } as const;
  const config = convert({
    securityContext: { seLinux },
    mounts: [mount, { ...mount, relabel: true }],
  });
  const { selinuxOptions } = config.linux?.securityContext ?? {};
  assert.deepEqual([selinuxOptions?.role, selinuxOptions?.level], ["system_r", "s0:c1,c2"]);
  assert.deepEqual(config.mounts.map(({ selinuxRelabel }) => selinuxRelabel), [false, true]);
  const { linux } = create(
    PodSandboxConfigSchema,
    toSandboxConfig({ ...SANDBOX, securityContext: { seLinux } }),
  );
  assert.equal(linux?.securityContext?.selinuxOptions?.type, "container_t");
  assert.equal(convert({}).linux?.securityContext?.selinuxOptions, undefined);
});

Deno.test("toSandboxConfig() says what the sandbox needs beyond its containers", () => {
  const config = { ...SANDBOX, overhead: { memoryLimit: mib(16) }, resources: { cpuShares: 9 } };
  const { linux } = create(PodSandboxConfigSchema, toSandboxConfig(config));
  assert.equal(linux?.overhead?.memoryLimitInBytes, 16_777_216n);
  assert.equal(linux?.resources?.cpuShares, 9n);
});
