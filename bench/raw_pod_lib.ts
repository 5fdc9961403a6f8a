import type { ContainerConfig, Runtime, SandboxConfig } from "../agent/runtimes/mod.ts";
import { ms } from "../core/base/mod.ts";
import { TEST_IMAGES } from "../tools/images/mod.ts";

/** A pod that was made straight through CRI, as a kubelet would make it but for all that it does around. */
export interface RawPod {
  readonly sandbox: string;
  readonly container: string;
}

/** A command that ends at once when it is told to, and shows `marker` among its arguments. */
export function markedCommand(marker: string): string[] {
  // The shell stays, with the marker as its `$0`.
  return ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait", marker];
}

/** Runs one sandbox with one container that shows `marker`; logs go below `folder`. */
export async function startRaw(
  runtime: Runtime,
  marker: string,
  options: { readonly folder: string; readonly signal: AbortSignal },
): Promise<RawPod> {
  const { folder, signal } = options;
  const labels = { "io.kubernetes.pod.uid": marker };
  const config: SandboxConfig = {
    ...{ podUid: marker, podName: marker, podNamespace: "default", attempt: 0, hostname: marker },
    ...{ logDirectory: `${folder}/${marker}`, portMappings: [], labels, annotations: {} },
    securityContext: {},
  };
  const made: ContainerConfig = {
    ...{ name: "c", attempt: 0, image: TEST_IMAGES.busybox, command: markedCommand(marker) },
    ...{ args: [], workingDir: "", env: [], mounts: [], devices: [], labels, annotations: {} },
    ...{ logPath: "c.log", stdin: false, stdinOnce: false, tty: false },
    resources: {},
    securityContext: {},
  };
  const sandbox = await runtime.runSandbox(config, signal);
  const container = await runtime.createContainer(sandbox, made, config, signal);
  await runtime.startContainer(container, signal);
  return { sandbox, container };
}

/** Stops and removes it. */
export async function endRaw(runtime: Runtime, pod: RawPod, signal: AbortSignal): Promise<void> {
  await runtime.stopContainer(pod.container, ms(1000), signal);
  await runtime.removeContainer(pod.container, signal);
  await runtime.stopSandbox(pod.sandbox, signal);
  await runtime.removeSandbox(pod.sandbox, signal);
}
