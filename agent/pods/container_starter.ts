import { AppError } from "../../core/base/mod.ts";
import type { ContainerConfig } from "../runtimes/mod.ts";
import { type ActContext, containerOf, podOf } from "./act_context.ts";
import { containerConfig } from "./config/container_config.ts";
import { resolveEnv } from "./config/env.ts";
import { isApiService, localApiAddress, withLocalApi } from "./config/local_api.ts";
import { ensureOwnFiles } from "./config/own_files.ts";
import { sandboxConfig } from "./config/sandbox_config.ts";
import type { PodDevices } from "./devices.ts";
import type { ImageKeeper } from "./image_keeper.ts";
import type { PodConfig } from "./options.ts";
import type { PodPaths } from "./paths.ts";
import type { Action, PodEvent } from "./policy/plan.ts";
import { fieldPathOf } from "./policy/roles.ts";
import type { RuntimeCalls } from "./runtime_calls.ts";
import { containerMounts } from "./volumes/volumes.ts";

/** Options of {@linkcode ContainerStarter}. */
export interface ContainerStarterOptions {
  readonly calls: RuntimeCalls;
  readonly config: PodConfig;
  readonly paths: PodPaths;
  readonly images: ImageKeeper;
  readonly devices: PodDevices | undefined;
}

/** Makes containers of what pods say, and starts them. */
export class ContainerStarter {
  readonly #options: ContainerStarterOptions;

  constructor(options: ContainerStarterOptions) {
    this.#options = options;
  }

  /**
   * Creates (unless it was created before) and starts a container. `events` gets what users should
   * see of it, also when it fails.
   */
  async start(
    action: Action & { type: "start" },
    context: ActContext,
    events: PodEvent[],
  ): Promise<void> {
    const { calls, images } = this.#options;
    const fieldPath = fieldPathOf(containerOf(context, action.container));
    const id = action.containerId ?? await this.#create(action, context);
    if (!action.containerId) {
      const message = `Created container: ${action.container}`;
      events.push({ type: "Normal", reason: "Created", message, fieldPath });
    }
    images.forget(context.uid, action.container);
    await calls.call((runtime, signal) => runtime.startContainer(id, signal));
    const message = `Started container ${action.container}`;
    events.push({ type: "Normal", reason: "Started", message, fieldPath });
  }

  async #create(
    action: Action & { type: "start" },
    context: ActContext,
  ): Promise<string> {
    const { calls, config, paths } = this.#options;
    const pod = podOf(context);
    const place = { node: config, paths, systemdCgroups: context.systemdCgroups };
    const sandbox = sandboxConfig(pod, context.attempt, place);
    const logs = `${sandbox.logDirectory}/${action.container}`;
    const [made] = await Promise.all([
      this.#config(action, context),
      Deno.mkdir(logs, { recursive: true, mode: 0o755 }),
    ]);
    return await calls.call((runtime, signal) =>
      runtime.createContainer(action.sandboxId, made, sandbox, signal)
    );
  }

  /** What the runtime is told of the container: environment, mounts, devices. */
  async #config(
    { container: name, attempt, targetId }: Action & { type: "start" },
    context: ActContext,
  ): Promise<ContainerConfig> {
    const { calls, config, paths, images, devices } = this.#options;
    const { objects, facts, recursiveReadOnly } = context;
    const pod = podOf(context);
    const { container } = containerOf(context, name);
    const image = images.view(context.uid, name);
    if (image.state !== "present") {
      throw new AppError("Conflict", `image ${container.image} is no longer known to be there`);
    }
    const services = context.services();
    const api = config.localApi;
    const env = resolveEnv({
      ...{ pod, container, objects, facts },
      services: api ? withLocalApi(services, api.port) : services,
    });
    const mounts = await containerMounts(paths, { pod, container, env, recursiveReadOnly });
    const own = await ensureOwnFiles({
      ...{ pod, container, attempt, paths },
      ips: facts.podIPs,
      clusterDomain: config.clusterDomain,
      ...(api && services.some(isApiService)
        ? { api: localApiAddress(pod, { ...facts, interfaces: api.interfaces() }) }
        : {}),
      taken: mounts,
    });
    const grant = await calls.call(async (_, signal) => await devices?.prepare(pod, name, signal));
    return containerConfig({
      ...{ pod, container, attempt, env, grant, paths },
      image: image.ref,
      mounts: [...mounts, ...own],
      nodeName: config.nodeName,
      memoryCapacity: config.memoryCapacity,
      ...(targetId ? { targetId } : {}),
      imageUser: image,
      seccompDir: config.seccompDir,
    });
  }
}
