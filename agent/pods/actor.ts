import type { Container, Pod, Service } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  deadline,
  errorText,
  isAppError,
  minutes,
  type Ms,
} from "../../core/base/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import { containerConfig } from "./config/container_config.ts";
import { podDns } from "./config/dns.ts";
import { resolveEnv } from "./config/env.ts";
import type { PodDevices } from "./devices.ts";
import type { DownwardFacts } from "./config/field_ref.ts";
import type { ImageKeeper } from "./image_keeper.ts";
import { pullPolicy } from "./policy/pull_policy.ts";
import { removeLogFiles } from "./logs/log_files.ts";
import type { PodConfig } from "./options.ts";
import { ensureOwnFiles } from "./config/own_files.ts";
import type { PodPaths } from "./paths.ts";
import type { Action, Outcome, PodEvent, PodObjects } from "./policy/plan.ts";
import { resizeNumbers } from "./policy/resources.ts";
import { fieldPathOf, findContainer, type PodContainer } from "./policy/roles.ts";
import { pullAuth } from "./config/pull_auth.ts";
import type { Hooks } from "./hooks.ts";
import { runHook } from "./run_hook.ts";
import { sandboxConfig, type SandboxPlace } from "./config/sandbox_config.ts";
import type { Stops } from "./stops.ts";
import { LinkPool } from "./volumes/link_pool.ts";
import { containerMounts, ensureVolumes, type LinkPools } from "./volumes/volumes.ts";

/** What an action is about. */
export interface ActContext {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Absent when only what is left of a pod is ended. */
  readonly pod?: Pod;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
  /** The Services that the pod may be told of, read when a container is made. */
  readonly services: () => readonly Service[];
  /**
   * The runtime's handler by the pod's RuntimeClass.
   *
   * @throws {AppError} NotFound when there is no such class
   */
  readonly handler: () => string | undefined;
  /** The runtime makes cgroups through systemd. */
  readonly systemdCgroups: boolean;
  /** The runtime has recursive read-only mounts. */
  readonly recursiveReadOnly: boolean;
  /** Where the pod is reached, for hooks that name no host. */
  readonly address: string;
  /** Sandbox attempt that containers are started in, for its config. */
  readonly attempt: number;
}

/** How an action went: `moved` when another look is worth while at once. */
export interface Acted {
  readonly action: Action;
  readonly moved: boolean;
  readonly failure?: Outcome;
  readonly events: readonly PodEvent[];
}

/** Options of {@linkcode Actor}. */
export interface ActorOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly config: PodConfig;
  readonly paths: PodPaths;
  readonly images: ImageKeeper;
  readonly stops: Stops;
  readonly hooks: Hooks;
  readonly devices: PodDevices | undefined;
  readonly signal: AbortSignal;
  /** Told when a pod's volumes were written. */
  readonly mounted: (uid: string) => void;
}

/** A sandbox sets up a network, which may take long on a loaded machine. */
const SANDBOX_TIMEOUT = minutes(4);
const CALL_TIMEOUT = minutes(2);

/** Does what a plan says: the thin rim between policy and runtime, files and pulls. */
export class Actor {
  readonly #options: ActorOptions;
  readonly #links: LinkPools;

  constructor(options: ActorOptions) {
    this.#options = options;
    const { paths, runtime, signal } = options;
    this.#links = {
      memory: new LinkPool(paths.links("memory"), runtime, signal),
      disk: new LinkPool(paths.links("disk"), runtime, signal),
    };
  }

  /**
   * Does all actions side by side, starts of containers one after the other. Failures to start
   * something come back as outcomes.
   *
   * @throws {AppError} ServiceUnavailable when the runtime is away, and whatever a stop or a removal threw
   */
  async act(actions: readonly Action[], context: ActContext): Promise<Acted[]> {
    const starts = actions.filter((action) => action.type === "start");
    const others = actions.filter((action) => action.type !== "start");
    const inOrder = async (): Promise<Acted[]> => {
      const out: Acted[] = [];
      for (const action of starts) out.push(await this.#one(action, context));
      return out;
    };
    const settled = await Promise.allSettled([
      inOrder(),
      ...others.map(async (action) => [await this.#one(action, context)]),
    ]);
    const out: Acted[] = [];
    for (const one of settled) {
      if (one.status === "rejected") throw one.reason;
      out.push(...one.value);
    }
    return out;
  }

  async #one(action: Action, context: ActContext): Promise<Acted> {
    const events: PodEvent[] = [];
    try {
      const moved = await this.#do(action, context, events);
      return { action, moved, events };
    } catch (error) {
      // What has no place in the pod's memory is tried again with the queue's own back-off.
      const remembered = ["start", "mount", "run-sandbox", "resize"].includes(action.type);
      if (this.#options.signal.aborted || away(error) || !remembered) throw error;
      const soft = isAppError(error, "AlreadyExists") ? { soft: true } : {};
      const failure: Outcome = {
        action,
        reason: reasonOf(action, error, events),
        message: errorText(error),
        ...soft,
      };
      return { action, moved: true, failure, events };
    }
  }

  async #do(action: Action, context: ActContext, events: PodEvent[]): Promise<boolean> {
    const { runtime, paths, stops } = this.#options;
    switch (action.type) {
      case "image":
        return await this.#image(action.container, context);
      case "mount":
        await ensureVolumes(paths, { ...context, pod: podOf(context) }, this.#links);
        this.#options.mounted(context.uid);
        return true;
      case "run-sandbox":
        await this.#runSandbox(action.attempt, context, events);
        return true;
      case "start":
        await this.#start(action, context, events);
        return true;
      case "hook":
        this.#hook(action, context);
        return false;
      case "resize":
        await this.#resize(action, context, events);
        return true;
      case "stop":
        stops.begin(context.uid, action);
        return false;
      case "stop-sandbox":
        await this.#call(CALL_TIMEOUT, (signal) => runtime.stopSandbox(action.sandboxId, signal));
        return true;
      case "remove-sandbox":
        await this.#call(CALL_TIMEOUT, (signal) => runtime.stopSandbox(action.sandboxId, signal));
        await this.#call(CALL_TIMEOUT, (signal) => runtime.removeSandbox(action.sandboxId, signal));
        return true;
      case "remove-container":
        await this.#call(
          CALL_TIMEOUT,
          (signal) => runtime.removeContainer(action.containerId, signal),
        );
        if (action.logPath) await this.#removeLog(action.logPath, context);
        return true;
      case "release":
        await this.#release(context.uid);
        return true;
      case "clean":
        await this.#clean(context);
        return true;
    }
  }

  #hook(action: Action & { type: "hook" }, context: ActContext): void {
    const { runtime, clock, hooks } = this.#options;
    const { hook, container: name, containerId, limit } = action;
    const container = containerOf(podOf(context), name);
    const handler = container.lifecycle?.[hook] ?? {};
    const { address } = context;
    const target = { runtime, clock, container, containerId, address, limit };
    const run = (signal: AbortSignal): Promise<void> => runHook(handler, target, signal);
    hooks.begin(context.uid, { hook, container: name, containerId, limit, run });
  }

  async #resize(
    action: Action & { type: "resize" },
    context: ActContext,
    events: PodEvent[],
  ): Promise<void> {
    const { runtime, config } = this.#options;
    const pod = podOf(context);
    const which = whichOf(pod, action.container);
    const numbers = resizeNumbers(pod, which.container, config.memoryCapacity);
    await this.#call(
      CALL_TIMEOUT,
      (signal) => runtime.updateResources(action.containerId, numbers, signal),
    );
    const message = `Container ${action.container} has its new resources`;
    const fieldPath = fieldPathOf(which);
    events.push({ type: "Normal", reason: "ResizeCompleted", message, fieldPath });
  }

  async #image(name: string, context: ActContext): Promise<boolean> {
    const pod = podOf(context);
    const container = containerOf(pod, name);
    const view = await this.#options.images.ensure({
      uid: context.uid,
      container: name,
      image: container.image,
      policy: pullPolicy(container),
      auth: pullAuth(pod, context.objects, container.image),
    });
    return view.state !== "pulling";
  }

  async #runSandbox(attempt: number, context: ActContext, events: PodEvent[]): Promise<void> {
    const { config, runtime } = this.#options;
    const pod = podOf(context);
    for (const message of podDns(pod, config).complaints) {
      events.push({ type: "Warning", reason: "DNSConfigForming", message });
    }
    const handler = context.handler();
    const sandbox = sandboxConfig(pod, attempt, { ...this.#place(context), handler });
    await Deno.mkdir(sandbox.logDirectory, { recursive: true, mode: 0o755 });
    await this.#call(SANDBOX_TIMEOUT, (signal) => runtime.runSandbox(sandbox, signal));
  }

  #place(context: ActContext): SandboxPlace {
    const { config, paths } = this.#options;
    return { node: config, paths, systemdCgroups: context.systemdCgroups };
  }

  async #start(
    action: Action & { type: "start" },
    context: ActContext,
    events: PodEvent[],
  ): Promise<void> {
    const { runtime, images } = this.#options;
    const fieldPath = fieldPathOf(whichOf(podOf(context), action.container));
    const id = action.containerId ?? await this.#create(action, context, events);
    if (!action.containerId) {
      const message = `Created container: ${action.container}`;
      events.push({ type: "Normal", reason: "Created", message, fieldPath });
    }
    images.forget(context.uid, action.container);
    await this.#call(CALL_TIMEOUT, (signal) => runtime.startContainer(id, signal));
    const message = `Started container ${action.container}`;
    events.push({ type: "Normal", reason: "Started", message, fieldPath });
  }

  async #create(
    action: Action & { type: "start" },
    context: ActContext,
    events: PodEvent[],
  ): Promise<string> {
    const { config, paths, runtime, images } = this.#options;
    const pod = podOf(context);
    const container = containerOf(pod, action.container);
    const image = images.view(context.uid, container.name);
    if (image.state !== "present") {
      throw new AppError("Conflict", `image ${container.image} is no longer known to be there`);
    }
    const { values: env, complaints } = resolveEnv({
      ...{ pod, container, objects: context.objects, facts: context.facts },
      services: context.services(),
    });
    for (const message of complaints) {
      events.push({ type: "Warning", reason: "InvalidEnvironmentVariableNames", message });
    }
    const mounts = await containerMounts(paths, {
      ...{ pod, container, env },
      recursiveReadOnly: context.recursiveReadOnly,
    });
    const own = await ensureOwnFiles({
      pod,
      container,
      attempt: action.attempt,
      ips: context.facts.podIPs,
      clusterDomain: config.clusterDomain,
      paths,
      taken: mounts,
    });
    const grant = await this.#call(
      CALL_TIMEOUT,
      async (signal) => await this.#options.devices?.prepare(pod, container.name, signal),
    );
    const made = containerConfig({
      pod,
      container,
      attempt: action.attempt,
      image: image.ref,
      env,
      mounts: [...mounts, ...own],
      grant,
      paths,
      nodeName: config.nodeName,
      memoryCapacity: config.memoryCapacity,
      ...(action.targetId ? { targetId: action.targetId } : {}),
      imageUser: image,
      seccompDir: config.seccompDir,
    });
    const sandbox = sandboxConfig(pod, context.attempt, this.#place(context));
    await Deno.mkdir(`${sandbox.logDirectory}/${container.name}`, { recursive: true, mode: 0o755 });
    return await this.#call(
      CALL_TIMEOUT,
      (signal) => runtime.createContainer(action.sandboxId, made, sandbox, signal),
    );
  }

  async #removeLog(logPath: string, context: ActContext): Promise<void> {
    const path = logPath.startsWith("/")
      ? logPath
      : `${this.#options.paths.logs(context)}/${logPath}`;
    if (path.startsWith(`${this.#options.paths.logs(context)}/`)) await removeLogFiles(path);
  }

  async #release(uid: string): Promise<void> {
    const { paths } = this.#options;
    const memory = paths.memoryPod(uid);
    await Promise.all([
      removeTree(`${paths.pod(uid)}/volumes`),
      memory ? removeTree(memory) : undefined,
    ]);
  }

  async #clean(context: ActContext): Promise<void> {
    const { paths } = this.#options;
    const memory = paths.memoryPod(context.uid);
    await Promise.all([
      removeTree(paths.pod(context.uid)),
      memory ? removeTree(memory) : undefined,
      removeTree(paths.logs(context)),
    ]);
  }

  async #call<T>(limit: Ms, fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal } = this.#options;
    const late = (): AppError =>
      new AppError("Timeout", `The container runtime did not answer within ${limit / 1000} s`);
    using limited = deadline(clock, limit, late, signal);
    return await fn(limited.signal);
  }
}

function away(error: unknown): boolean {
  return isAppError(error, "ServiceUnavailable");
}

function reasonOf(action: Action, error: unknown, events: readonly PodEvent[]): string {
  if (action.type !== "start") return "Failed";
  const created = action.containerId || events.some((event) => event.reason === "Created");
  if (created) return "RunContainerError";
  if (isAppError(error, "NotFound", "Invalid", "Forbidden", "Unsupported")) {
    return "CreateContainerConfigError";
  }
  return "CreateContainerError";
}

function podOf(context: ActContext): Pod {
  if (context.pod) return context.pod;
  throw new AppError("InternalError", `Pod ${context.uid} is to be changed but its object is gone`);
}

function containerOf(pod: Pod, name: string): Container {
  return whichOf(pod, name).container;
}

function whichOf(pod: Pod, name: string): PodContainer {
  const found = findContainer(pod, name);
  if (found) return found;
  throw new AppError("InternalError", `Pod ${pod.metadata.name} has no container ${name}`);
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
