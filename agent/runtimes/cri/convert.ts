import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ContainerConfig,
  type ContainerResources,
  LABEL,
  type Mount,
  type PortMapping,
  type SandboxConfig,
} from "../runtime.ts";
import {
  type ContainerConfigSchema,
  type LinuxContainerResourcesSchema,
  MountPropagation,
  type PodSandboxConfigSchema,
  Protocol,
} from "./gen/runtime_pb.ts";
import { toContainerSecurity, toSandboxSecurity } from "./security.ts";

/** Annotation of ours that keeps the name which the pod spec gave to the image. */
export const IMAGE_NAME_ANNOTATION = "dev.skerry.image";

const PROTOCOL: Record<PortMapping["protocol"], Protocol> = {
  TCP: Protocol.TCP,
  UDP: Protocol.UDP,
  SCTP: Protocol.SCTP,
};

const PROPAGATION: Record<Mount["propagation"], MountPropagation> = {
  "private": MountPropagation.PROPAGATION_PRIVATE,
  "host-to-container": MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  "bidirectional": MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** CRI's `PodSandboxConfig`, with the labels by which {@linkcode Runtime.observe} finds the pod. */
export function toSandboxConfig(
  config: SandboxConfig,
  node?: string,
): MessageInitShape<typeof PodSandboxConfigSchema> {
  const host = config.securityContext.hostNetwork ?? false;
  return {
    metadata: {
      name: config.podName,
      uid: config.podUid,
      namespace: config.podNamespace,
      attempt: config.attempt,
    },
    // With the host's UTS namespace the runtime takes the host's name, and refuses another.
    hostname: host ? "" : config.hostname,
    logDirectory: config.logDirectory,
    ...(config.dns
      ? {
        dnsConfig: {
          servers: [...config.dns.servers],
          searches: [...config.dns.searches],
          options: [...config.dns.options],
        },
      }
      : {}),
    portMappings: config.portMappings.map((port) => ({
      protocol: PROTOCOL[port.protocol],
      containerPort: port.containerPort,
      hostPort: port.hostPort,
      hostIp: port.hostIp,
    })),
    labels: { ...config.labels, ...podLabels(config, node) },
    annotations: { ...config.annotations },
    linux: {
      cgroupParent: config.cgroupParent ?? "",
      sysctls: { ...config.sysctls },
      securityContext: toSandboxSecurity(config.securityContext),
      ...(config.overhead ? { overhead: toResources(config.overhead) } : {}),
      ...(config.resources ? { resources: toResources(config.resources) } : {}),
    },
  };
}

function podLabels(config: SandboxConfig, node: string | undefined): Record<string, string> {
  return {
    [LABEL.podName]: config.podName,
    [LABEL.podNamespace]: config.podNamespace,
    [LABEL.podUid]: config.podUid,
    ...(node === undefined ? {} : { [LABEL.node]: node }),
  };
}

/** CRI's `ContainerConfig` of a container in the sandbox of `sandbox`. */
export function toContainerConfig(
  config: ContainerConfig,
  sandbox: SandboxConfig,
  node?: string,
): MessageInitShape<typeof ContainerConfigSchema> {
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: [...config.command],
    args: [...config.args],
    workingDir: config.workingDir,
    envs: config.env.map(({ name, value }) => ({ key: name, value })),
    mounts: config.mounts.map((mount) => ({
      containerPath: mount.containerPath,
      hostPath: mount.hostPath,
      readonly: mount.readonly,
      recursiveReadOnly: mount.recursiveReadOnly ?? false,
      selinuxRelabel: mount.relabel ?? false,
      propagation: PROPAGATION[mount.propagation],
    })),
    devices: config.devices.map((device) => ({ ...device })),
    CDIDevices: (config.cdiDevices ?? []).map((name) => ({ name })),
    labels: { ...config.labels, ...podLabels(sandbox, node), [LABEL.containerName]: config.name },
    annotations: {
      ...config.annotations,
      [IMAGE_NAME_ANNOTATION]: config.imageName ?? config.image,
    },
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: toResources(config.resources),
      securityContext: toContainerSecurity(config.securityContext),
    },
  };
}

/** CRI's `LinuxContainerResources`. Zero means "as it is" there, as an absent field does here. */
export function toResources(
  from: ContainerResources,
): MessageInitShape<typeof LinuxContainerResourcesSchema> {
  return {
    cpuPeriod: BigInt(from.cpuPeriod ?? 0),
    cpuQuota: BigInt(from.cpuQuota ?? 0),
    cpuShares: BigInt(from.cpuShares ?? 0),
    memoryLimitInBytes: BigInt(from.memoryLimit ?? 0),
    oomScoreAdj: BigInt(from.oomScoreAdj ?? 0),
  };
}
