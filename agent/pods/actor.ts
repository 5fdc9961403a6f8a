import { type Clock, errorText, isAppError, minutes } from "../../core/base/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import { type ActContext, containerOf, podOf } from "./act_context.ts";
import { podDns } from "./config/dns.ts";
import { pullAuths } from "./config/pull_auth.ts";
import { sandboxConfig } from "./config/sandbox_config.ts";
import { ContainerStarter } from "./container_starter.ts";
import type { PodDevices } from "./devices.ts";
import type { Hooks } from "./hooks.ts";
import type { ImageKeeper } from "./image_keeper.ts";
import type { PodConfig } from "./options.ts";
import type { PodPaths } from "./paths.ts";
import { removePodFiles, removeRunLog, removeVolumes } from "./pod_files.ts";
import { START_FAILED } from "./policy/memory.ts";
import type { Action, Outcome, PodEvent } from "./policy/plan.ts";
import { pullPolicy } from "./policy/pull_policy.ts";
import { resizeNumbers } from "./policy/resources.ts";
import { fieldPathOf } from "./policy/roles.ts";
import { runHook } from "./run_hook.ts";
import { RuntimeCalls } from "./runtime_calls.ts";
import type { Stops } from "./stops.ts";
import { LinkPool } from "./volumes/link_pool.ts";
import { ensureVolumes, type LinkPools } from "./volumes/volumes.ts";

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

/** Does what a plan says: the thin rim between policy and runtime, files and pulls. */
export class Actor {
  readonly #options: ActorOptions;
  readonly #calls: RuntimeCalls;
  readonly #starter: ContainerStarter;
  readonly #links: LinkPools;

  constructor(options: ActorOptions) {
    this.#options = options;
    const { paths, runtime, signal } = options;
    const calls = this.#calls = new RuntimeCalls(options);
    this.#starter = new ContainerStarter({ ...options, calls });
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
    const { paths, stops } = this.#options;
    const calls = this.#calls;
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
        await this.#starter.start(action, context, events);
        return true;
      case "hook":
        this.#hook(action, context);
        return false;
      case "resize":
        await this.#resize(action, context);
        return true;
      case "stop":
        stops.begin(context.uid, action);
        return false;
      case "stop-sandbox":
        await calls.call((runtime, signal) => runtime.stopSandbox(action.sandboxId, signal));
        return true;
      case "remove-sandbox":
        await calls.call((runtime, signal) => runtime.stopSandbox(action.sandboxId, signal));
        await calls.call((runtime, signal) => runtime.removeSandbox(action.sandboxId, signal));
        return true;
      case "remove-container":
        await calls.call((runtime, signal) => runtime.removeContainer(action.containerId, signal));
        if (action.logPath) await removeRunLog(paths, context, action.logPath);
        return true;
      case "release":
        await removeVolumes(paths, context);
        return true;
      case "clean":
        await removePodFiles(paths, context);
        return true;
    }
  }

  #hook(action: Action & { type: "hook" }, context: ActContext): void {
    const { runtime, clock, hooks } = this.#options;
    const { hook, container: name, containerId, limit } = action;
    const { container } = containerOf(context, name);
    const handler = container.lifecycle?.[hook] ?? {};
    const { address } = context;
    const target = { runtime, clock, container, containerId, address, limit };
    const run = (signal: AbortSignal): Promise<void> => runHook(handler, target, signal);
    hooks.begin(context.uid, { hook, container: name, containerId, limit, run });
  }

  async #resize(action: Action & { type: "resize" }, context: ActContext): Promise<void> {
    const { container } = containerOf(context, action.container);
    const { memoryCapacity } = this.#options.config;
    const numbers = resizeNumbers(podOf(context), container, memoryCapacity);
    await this.#calls.call((runtime, signal) =>
      runtime.updateResources(action.containerId, numbers, signal)
    );
  }

  async #image(name: string, context: ActContext): Promise<boolean> {
    const pod = podOf(context);
    const which = containerOf(context, name);
    const { container } = which;
    const view = await this.#options.images.ensure({
      uid: context.uid,
      container: name,
      image: container.image,
      policy: pullPolicy(container),
      auths: pullAuths(pod, context.objects, container.image),
      fieldPath: fieldPathOf(which),
    });
    return view.state !== "pulling";
  }

  async #runSandbox(attempt: number, context: ActContext, events: PodEvent[]): Promise<void> {
    const { config, paths } = this.#options;
    const { systemdCgroups } = context;
    const pod = podOf(context);
    for (const message of podDns(pod, config).complaints) {
      events.push({ type: "Warning", reason: "DNSConfigForming", message });
    }
    const handler = context.handler();
    const sandbox = sandboxConfig(pod, attempt, { node: config, paths, systemdCgroups, handler });
    await Deno.mkdir(sandbox.logDirectory, { recursive: true, mode: 0o755 });
    await this.#calls.call(
      (runtime, signal) => runtime.runSandbox(sandbox, signal),
      SANDBOX_TIMEOUT,
    );
  }
}

function away(error: unknown): boolean {
  return isAppError(error, "ServiceUnavailable");
}

function reasonOf(action: Action, error: unknown, events: readonly PodEvent[]): string {
  if (action.type !== "start") return "Failed";
  const created = action.containerId || events.some((event) => event.reason === "Created");
  if (created) return START_FAILED;
  if (isAppError(error, "NotFound", "Invalid", "Forbidden", "Unsupported")) {
    return "CreateContainerConfigError";
  }
  return "CreateContainerError";
}
