import type { Container, Pod } from "../../../core/api/mod.ts";
import type { Bytes } from "../../../core/base/mod.ts";
import { type ContainerConfig, LABEL, type Mount } from "../../runtimes/mod.ts";
import type { DeviceGrant } from "../devices.ts";
import { expandVariables } from "./expand.ts";
import type { PodPaths } from "../paths.ts";
import { cgroupNumbers } from "../policy/resources.ts";
import { podLabels } from "./sandbox_config.ts";
import { containerSecurity, type ImageUser } from "./security.ts";

/** Where a container's termination message is read from when the spec names no file. */
export const TERMINATION_LOG = "/dev/termination-log";

/** What the runtime needs to make one run of a container. */
export function containerConfig(
  input: {
    readonly pod: Pod;
    readonly container: Container;
    readonly attempt: number;
    /** Reference that the image check or the pull answered. */
    readonly image: string;
    readonly env: ReadonlyMap<string, string>;
    readonly mounts: readonly Mount[];
    /** What its devices bring; the container's own word wins. */
    readonly grant?: DeviceGrant | undefined;
    readonly paths: PodPaths;
    readonly nodeName: string;
    readonly memoryCapacity: Bytes;
    /** Of a debugger: the container whose processes it sees. */
    readonly targetId?: string;
    /** Whose user counts where the pod names only a group. */
    readonly imageUser: ImageUser;
    readonly seccompDir?: string | undefined;
  },
): ContainerConfig {
  const { pod, container, attempt, env, paths, mounts, grant } = input;
  const expand = (text: string): string => expandVariables(text, env);
  return {
    name: container.name,
    attempt,
    image: input.image,
    imageName: container.image,
    command: (container.command ?? []).map(expand),
    args: (container.args ?? []).map(expand),
    workingDir: container.workingDir ?? "",
    env: [...new Map([...Object.entries(grant?.env ?? {}), ...env])]
      .map(([name, value]) => ({ name, value })),
    mounts: [
      ...(grant?.mounts ?? []).filter((one) =>
        !mounts.some(({ containerPath }) => containerPath === one.containerPath)
      ),
      ...mounts,
    ],
    devices: grant?.devices ?? [],
    ...(grant?.cdiDevices.length ? { cdiDevices: grant.cdiDevices } : {}),
    labels: { ...podLabels(pod, input.nodeName), [LABEL.containerName]: container.name },
    annotations: {
      ...grant?.annotations,
      "io.kubernetes.container.restartCount": String(attempt),
    },
    logPath: paths.logPath(container.name, attempt),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    resources: cgroupNumbers(pod, container, input.memoryCapacity),
    securityContext: {
      ...containerSecurity(pod, container, {
        image: input.imageUser,
        seccompDir: input.seccompDir,
      }),
      ...(input.targetId ? { targetContainerId: input.targetId } : {}),
    },
  };
}
