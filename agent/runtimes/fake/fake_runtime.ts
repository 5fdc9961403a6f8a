import { AppError, type Ms, ms, sleep } from "../../../core/base/mod.ts";
import {
  type ContainerConfig,
  type ContainerResources,
  type ContainerUsage,
  type ImageAuth,
  type ImageFilesystem,
  type ImageInfo,
  LABEL,
  type Observation,
  type Runtime,
  type RuntimeCondition,
  type RuntimeDetails,
  type RuntimeEvent,
  type RuntimeInfo,
  type SandboxConfig,
  type SandboxUsage,
} from "../runtime.ts";
import type { FakeContainer, FakeMachine } from "./fake_machine.ts";

const EXEC_OUTPUT = 64 * 1024;
/** What CRI runtimes say of a container whose program could not be started. */
const START_ERROR = { code: 128, reason: "StartError" };
const KILLED = 137;
const TERMINATED = 143;

/** The client of a {@linkcode FakeMachine}; made by `FakeMachine.connect()`. */
export class FakeRuntime implements Runtime {
  readonly #machine: FakeMachine;
  readonly #closing = new AbortController();

  constructor(machine: FakeMachine) {
    this.#machine = machine;
  }

  async info(signal: AbortSignal): Promise<RuntimeInfo> {
    await this.#call(signal);
    const features = {
      events: true,
      pull: true,
      logs: false,
      streams: false,
      recursiveReadOnly: true,
      supplementalGroupsPolicy: true,
    };
    return { name: "fake", version: "1.0.0", apiVersion: "v1", features };
  }

  async conditions(signal: AbortSignal): Promise<RuntimeCondition[]> {
    await this.#call(signal);
    const { networkReady } = this.#machine;
    return [
      { type: "RuntimeReady", status: true, reason: "", message: "" },
      {
        type: "NetworkReady",
        status: networkReady,
        reason: networkReady ? "" : "NetworkPluginNotReady",
        message: "",
      },
    ];
  }

  async details(signal: AbortSignal): Promise<RuntimeDetails> {
    await this.#call(signal);
    return this.#machine.details;
  }

  async observe(signal: AbortSignal, podUid?: string): Promise<Observation> {
    await this.#call(signal);
    return this.#machine.observe(podUid);
  }

  async podsByNode(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    await this.#call(signal);
    const counts = new Map<string, number>();
    for (const { ready, config: { labels } } of this.#machine.sandboxes.values()) {
      const node = labels[LABEL.node];
      if (ready && node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    return counts;
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#machine.read([signal, this.#closing.signal]);
  }

  async imageStatus(image: string, signal: AbortSignal): Promise<ImageInfo | undefined> {
    await this.#call(signal);
    return this.#machine.findImage(image);
  }

  async images(signal: AbortSignal): Promise<ImageInfo[]> {
    await this.#call(signal);
    return [...this.#machine.images.values()];
  }

  async imagesInUse(signal: AbortSignal): Promise<ReadonlySet<string>> {
    await this.#call(signal);
    const configs = [...this.#machine.containers.values()].map(({ config }) => config);
    return new Set(configs.flatMap(({ image, imageName = image }) => [image, imageName]));
  }

  async pullImage(
    image: string,
    _auth: ImageAuth | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    await this.#call(signal);
    const machine = this.#machine;
    const script = machine.pullScript(image);
    const tries = (machine.pulls.get(image) ?? 0) + 1;
    machine.pulls.set(image, tries);
    await this.#take(script?.duration ?? ms(0), signal);
    const failures = script ? script.failures ?? 0 : "all";
    if (failures === "all" || tries <= failures) {
      throw new AppError("NotFound", `Cannot pull ${image}: ${script?.error ?? "not found"}`);
    }
    if (!machine.images.has(image)) machine.addImage(image);
    return machine.images.get(image)?.id ?? image;
  }

  async removeImage(image: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    for (const [ref, info] of this.#machine.images) {
      if (ref === image || info.id === image) this.#machine.images.delete(ref);
    }
  }

  async makeLinks(
    dir: string,
    links: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#call(signal);
    for (const [name, target] of links) {
      await Deno.remove(`${dir}/${name}`).catch(() => {});
      await Deno.symlink(target, `${dir}/${name}`);
    }
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string> {
    await this.#call(signal);
    await this.#take(this.#machine.latency.sandbox, signal);
    const { podUid, attempt, podName } = config;
    for (const { config: other } of this.#machine.sandboxes.values()) {
      if (other.podUid !== podUid || other.attempt !== attempt) continue;
      throw new AppError("AlreadyExists", `Sandbox ${attempt} of pod ${podName} is there already`);
    }
    const id = this.#machine.nextId("sandbox");
    const labels = { ...config.labels, ...podLabels(config) };
    this.#machine.sandboxes.set(id, {
      id,
      config: { ...config, labels },
      createdAt: this.#machine.clock.now(),
      ip: this.#machine.nextIp(),
      ready: true,
    });
    this.#machine.changed(podUid);
    return id;
  }

  async stopSandbox(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    const sandbox = this.#machine.sandboxes.get(id);
    if (sandbox) this.#machine.endSandbox(sandbox);
  }

  async removeSandbox(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    const machine = this.#machine;
    const sandbox = machine.sandboxes.get(id);
    if (!sandbox) return;
    machine.endSandbox(sandbox);
    for (const container of machine.containers.values()) {
      if (container.sandbox === sandbox) machine.containers.delete(container.id);
    }
    machine.sandboxes.delete(id);
    machine.changed(sandbox.config.podUid);
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    _sandbox: SandboxConfig,
    signal: AbortSignal,
  ): Promise<string> {
    await this.#call(signal);
    const machine = this.#machine;
    await this.#take(machine.latency.create, signal);
    const sandbox = machine.sandboxes.get(sandboxId);
    if (!sandbox) throw absent("sandbox", sandboxId);
    if (!machine.findImage(config.image)) throw absent("image", config.image);
    for (const { sandbox: other, config: { name, attempt } } of machine.containers.values()) {
      if (other !== sandbox || name !== config.name || attempt !== config.attempt) continue;
      throw new AppError("AlreadyExists", `Run ${attempt} of container ${name} is there already`);
    }
    const id = machine.nextId("container");
    const labels = {
      ...config.labels,
      ...podLabels(sandbox.config),
      [LABEL.containerName]: config.name,
    };
    machine.containers.set(id, {
      id,
      sandbox,
      config: { ...config, labels },
      createdAt: machine.clock.now(),
      behaviour: machine.behaviourOf(config, sandbox.config),
      state: "created",
      resources: config.resources,
      onExit: new Set(),
    });
    machine.changed(sandbox.config.podUid);
    return id;
  }

  async startContainer(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    const machine = this.#machine;
    await this.#take(machine.latency.start, signal);
    const container = this.#container(id);
    if (container.state !== "created") {
      throw new AppError("InternalError", `Container ${id} is ${container.state}, not created`);
    }
    const { startError, exitAfter, exitCode = 0, reason } = container.behaviour;
    container.startedAt = machine.clock.now();
    if (startError !== undefined) {
      container.message = startError;
      machine.end(container, START_ERROR.code, START_ERROR.reason);
      throw new AppError("InternalError", `Cannot start container ${id}: ${startError}`);
    }
    container.state = "running";
    machine.changed(container.sandbox.config.podUid);
    if (exitAfter === undefined) return;
    container.timer = machine.clock.timer(
      exitAfter,
      () => machine.end(container, exitCode, reason),
    );
  }

  async stopContainer(id: string, grace: Ms, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    const machine = this.#machine;
    const container = machine.containers.get(id);
    if (container?.state !== "running") return;
    const { onTerm = "exit", termDelay = ms(0), termCode = TERMINATED } = container.behaviour;
    if (onTerm === "exit" && grace > 0) {
      // Not undone when the caller gives up: the container has got its TERM.
      const term = machine.clock.timer(termDelay, () => machine.end(container, termCode));
      container.onExit.add(() => term[Symbol.dispose]());
    }
    using _kill = machine.clock.timer(grace, () => machine.end(container, KILLED));
    await ended(container, signal);
  }

  async removeContainer(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    const container = this.#machine.containers.get(id);
    if (!container) return;
    if (container.state === "running") this.#machine.end(container, KILLED);
    this.#machine.containers.delete(id);
    this.#machine.changed(container.sandbox.config.podUid);
  }

  async execSync(
    id: string,
    command: readonly string[],
    timeout: Ms,
    signal: AbortSignal,
  ): Promise<{ exitCode: number; stdout: Uint8Array; stderr: Uint8Array }> {
    await this.#call(signal);
    const container = this.#runningContainer(id);
    const result = container.behaviour.exec?.(command) ?? { exitCode: 0 };
    const duration = result.duration ?? ms(0);
    await this.#take(ms(Math.min(duration, timeout)), signal);
    if (duration > timeout) {
      throw new AppError("Timeout", `The command did not end within ${timeout / 1000} s`);
    }
    const cut = (text = ""): Uint8Array => new TextEncoder().encode(text).slice(0, EXEC_OUTPUT);
    return { exitCode: result.exitCode, stdout: cut(result.stdout), stderr: cut(result.stderr) };
  }

  async containerUsage(signal: AbortSignal, podUid?: string): Promise<ContainerUsage[]> {
    await this.#call(signal);
    return this.#machine.containerUsage(podUid);
  }

  async sandboxUsage(signal: AbortSignal, podUid?: string): Promise<SandboxUsage[]> {
    await this.#call(signal);
    return this.#machine.sandboxUsage(podUid);
  }

  async imageFilesystems(signal: AbortSignal): Promise<ImageFilesystem[]> {
    await this.#call(signal);
    return [...this.#machine.imageFilesystems];
  }

  async updateResources(
    id: string,
    resources: ContainerResources,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#call(signal);
    const container = this.#container(id);
    container.resources = { ...container.resources, ...resources };
  }

  async reopenLog(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal);
    this.#runningContainer(id);
  }

  streamUrl(): Promise<string> {
    return Promise.reject(new AppError("Unsupported", "The fake runtime streams nothing"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  /** What every call does first; a turn of the event loop passes, as over a socket. */
  async #call(signal: AbortSignal): Promise<void> {
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) {
      throw new AppError("ServiceUnavailable", "The runtime client is closed");
    }
    this.#machine.checkUp();
  }

  /** Lets `duration` pass; the runtime may have gone away meanwhile. */
  async #take(duration: Ms, signal: AbortSignal): Promise<void> {
    if (duration > 0) await sleep(this.#machine.clock, duration, signal);
    this.#machine.checkUp();
  }

  #container(id: string): FakeContainer {
    const container = this.#machine.containers.get(id);
    if (!container) throw absent("container", id);
    return container;
  }

  #runningContainer(id: string): FakeContainer {
    const container = this.#container(id);
    if (container.state === "running") return container;
    throw new AppError("InternalError", `Container ${id} is ${container.state}, not running`);
  }
}

function absent(kind: string, id: string): AppError {
  return new AppError("NotFound", `There is no ${kind} ${id}`);
}

function podLabels({ podUid, podName, podNamespace }: SandboxConfig): Record<string, string> {
  return {
    [LABEL.podUid]: podUid,
    [LABEL.podName]: podName,
    [LABEL.podNamespace]: podNamespace,
  };
}

/** Resolves when the container has ended. */
function ended(container: FakeContainer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (container.state === "exited") return resolve();
    const onAbort = (): void => {
      container.onExit.delete(onExit);
      reject(signal.reason);
    };
    const onExit = (): void => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    container.onExit.add(onExit);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
