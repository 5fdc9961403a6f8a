import {
  type Clock,
  isAppError,
  type Logger,
  type Ms,
  ms,
  seconds,
} from "../../../core/base/mod.ts";
import { ExecTurns } from "../exec_turns.ts";
import { LinkedAbort } from "../linked_abort.ts";
import type {
  ContainerConfig,
  ContainerResources,
  ContainerUsage,
  ImageAuth,
  ImageFilesystem,
  ImageInfo,
  Observation,
  Runtime,
  RuntimeCondition,
  RuntimeDetails,
  RuntimeEvent,
  RuntimeInfo,
  SandboxConfig,
  SandboxUsage,
  StreamRequest,
} from "../runtime.ts";
import { type Call, callsOn, WORK_TIMEOUT } from "./calls.ts";
import {
  IMAGE_NAME_ANNOTATION,
  toContainerConfig,
  toResources,
  toSandboxConfig,
} from "./convert.ts";
import { parseDetails } from "./details.ts";
import { CriEvents } from "./events.ts";
import { usesSystemd } from "./cgroup_driver.ts";
import { RuntimeService } from "./gen/runtime_pb.ts";
import { GrpcChannel } from "./grpc/channel.ts";
import { CriImages } from "./images.ts";
import { makeLinks } from "./links.ts";
import { removeWithTasks } from "./lost_task.ts";
import { Observer } from "./observe.ts";
import { runPush } from "./push.ts";
import { readContainerUsage, readSandboxUsage } from "./usage.ts";

/** Options of {@linkcode createCriRuntime}. */
export interface CriRuntimeOptions {
  /** Path of the runtime's socket, e.g. `/run/containerd/containerd.sock`. It may be absent for now. */
  readonly socketPath: string;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Our node's name. What this client makes carries it as {@linkcode LABEL} `.node`, and it sees only
   * what carries it, so that a kubelet or a second agent on the same runtime keeps its pods.
   * @default {sees every pod}
   */
  readonly node?: string;
}

/** How much of each output of a command {@linkcode Runtime.execSync} keeps. */
const EXEC_OUTPUT = 64 * 1024;
/** Lets the runtime answer a command's own timeout before ours ends the call. */
const EXEC_MARGIN = seconds(5);

const rpc = RuntimeService.method;

/**
 * A {@linkcode Runtime} over CRI v1 on a unix socket. Connects when it is first used, reconnects by
 * itself; nothing is kept that a restart of the agent or of the runtime would lose.
 */
export function createCriRuntime(options: CriRuntimeOptions): Runtime {
  return new CriRuntime(options);
}

class CriRuntime implements Runtime {
  readonly #options: CriRuntimeOptions;
  readonly #channel: GrpcChannel;
  readonly #call: Call;
  readonly #images: CriImages;
  readonly #observer: Observer;
  readonly #turns: ExecTurns;
  readonly #readers = new Set<CriEvents>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #systemdCgroups: boolean | undefined;

  constructor(options: CriRuntimeOptions) {
    this.#options = options;
    this.#channel = new GrpcChannel(options);
    this.#call = callsOn(this.#channel);
    this.#images = new CriImages(this.#channel, this.#call);
    this.#observer = new Observer(this.#call, options.node);
    this.#turns = new ExecTurns(options.clock);
  }

  async info(signal: AbortSignal): Promise<RuntimeInfo> {
    const [answer, status] = await Promise.all([
      this.#call(rpc.version, { version: "v1" }, signal),
      // What it answers beside that is kilobytes, and stays the same while it runs.
      this.#call(rpc.status, { verbose: this.#systemdCgroups === undefined }, signal),
    ]);
    this.#systemdCgroups ??= usesSystemd(status.info["config"]);
    const handler = status.runtimeHandlers.find(({ name }) => name === "");
    return {
      name: answer.runtimeName,
      version: answer.runtimeVersion,
      apiVersion: answer.runtimeApiVersion,
      systemdCgroups: this.#systemdCgroups,
      features: {
        events: answer.runtimeName === "containerd",
        pull: true,
        logs: true,
        streams: true,
        recursiveReadOnly: handler?.features?.recursiveReadOnlyMounts ?? false,
        supplementalGroupsPolicy: status.features?.supplementalGroupsPolicy ?? false,
      },
    };
  }

  async conditions(signal: AbortSignal): Promise<RuntimeCondition[]> {
    const answer = await this.#call(rpc.status, {}, signal);
    return (answer.status?.conditions ?? []).map(({ type, status, reason, message }) => ({
      type,
      status,
      reason,
      message,
    }));
  }

  async details(signal: AbortSignal): Promise<RuntimeDetails> {
    return parseDetails((await this.#call(rpc.status, { verbose: true }, signal)).info);
  }

  observe(signal: AbortSignal, podUid?: string): Promise<Observation> {
    return this.#observer.observe(signal, podUid);
  }

  podsByNode(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#observer.podsByNode(signal);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const events = new CriEvents({
      list: (stop) => this.#observer.list(stop),
      push: (onHint, stop) => runPush(this.#channel, onHint, stop),
      clock: this.#options.clock,
      log: this.#options.log,
    });
    this.#readers.add(events);
    const stop = new LinkedAbort(signal, this.#closing.signal);
    const running = events.run(stop.signal).finally(() => {
      stop[Symbol.dispose]();
      this.#readers.delete(events);
      this.#running.delete(running);
    });
    this.#running.add(running);
    return events.queue;
  }

  imageStatus(image: string, signal: AbortSignal): Promise<ImageInfo | undefined> {
    return this.#images.status(image, signal);
  }

  images(signal: AbortSignal): Promise<ImageInfo[]> {
    return this.#images.list(signal);
  }

  async imagesInUse(signal: AbortSignal): Promise<ReadonlySet<string>> {
    // Without our own label: a kubelet beside this agent has containers as well.
    const { containers } = await this.#call(rpc.listContainers, {}, signal);
    return new Set(
      containers.flatMap(({ image, imageRef, annotations }) => [
        image?.image ?? "",
        imageRef,
        annotations[IMAGE_NAME_ANNOTATION] ?? "",
      ]),
    );
  }

  pullImage(image: string, auth: ImageAuth | undefined, signal: AbortSignal): Promise<string> {
    return this.#images.pull(image, auth, signal);
  }

  removeImage(image: string, signal: AbortSignal): Promise<void> {
    return this.#images.remove(image, signal);
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string> {
    const request = {
      config: toSandboxConfig(config, this.#options.node),
      runtimeHandler: config.runtimeHandler ?? "",
    };
    const answer = await this.#work(() =>
      this.#call(rpc.runPodSandbox, request, signal, WORK_TIMEOUT)
    );
    return answer.podSandboxId;
  }

  async stopSandbox(id: string, signal: AbortSignal): Promise<void> {
    this.#observer.forget(id);
    await this.#work(() =>
      ifPresent(this.#call(rpc.stopPodSandbox, { podSandboxId: id }, signal, WORK_TIMEOUT))
    );
  }

  async removeSandbox(id: string, signal: AbortSignal): Promise<void> {
    await this.#work(() =>
      this.#remove(
        () =>
          ifPresent(this.#call(rpc.removePodSandbox, { podSandboxId: id }, signal, WORK_TIMEOUT)),
        signal,
      )
    );
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
    signal: AbortSignal,
  ): Promise<string> {
    const request = {
      podSandboxId: sandboxId,
      config: toContainerConfig(config, sandbox, this.#options.node),
      sandboxConfig: toSandboxConfig(sandbox, this.#options.node),
    };
    const answer = await this.#work(() =>
      this.#call(rpc.createContainer, request, signal, WORK_TIMEOUT)
    );
    return answer.containerId;
  }

  async startContainer(id: string, signal: AbortSignal): Promise<void> {
    await this.#work(() =>
      this.#call(rpc.startContainer, { containerId: id }, signal, WORK_TIMEOUT)
    );
  }

  async stopContainer(id: string, grace: Ms, signal: AbortSignal): Promise<void> {
    // CRI counts whole seconds, and 0 is KILL at once: a short grace is still a grace.
    const timeout = BigInt(Math.ceil(Math.max(0, grace) / 1000));
    await this.#work(() =>
      ifPresent(
        this.#call(
          rpc.stopContainer,
          { containerId: id, timeout },
          signal,
          ms(WORK_TIMEOUT + grace),
        ),
      )
    );
  }

  async removeContainer(id: string, signal: AbortSignal): Promise<void> {
    this.#observer.forget(id);
    await this.#work(() =>
      this.#remove(
        () => ifPresent(this.#call(rpc.removeContainer, { containerId: id }, signal, WORK_TIMEOUT)),
        signal,
      )
    );
  }

  async execSync(
    id: string,
    command: readonly string[],
    timeout: Ms,
    signal: AbortSignal,
  ): Promise<{ exitCode: number; stdout: Uint8Array; stderr: Uint8Array }> {
    using _turn = await this.#turns.take(id, signal);
    const answer = await this.#call(
      rpc.execSync,
      { containerId: id, cmd: [...command], timeout: BigInt(Math.ceil(timeout / 1000)) },
      signal,
      ms(timeout + EXEC_MARGIN),
    );
    return {
      exitCode: answer.exitCode,
      stdout: answer.stdout.slice(0, EXEC_OUTPUT),
      stderr: answer.stderr.slice(0, EXEC_OUTPUT),
    };
  }

  containerUsage(signal: AbortSignal, podUid?: string): Promise<ContainerUsage[]> {
    return readContainerUsage(this.#call, this.#observer.selector(podUid), signal);
  }

  sandboxUsage(signal: AbortSignal, podUid?: string): Promise<SandboxUsage[]> {
    return readSandboxUsage(this.#call, this.#observer.selector(podUid), signal);
  }

  imageFilesystems(signal: AbortSignal): Promise<ImageFilesystem[]> {
    return this.#images.filesystems(signal);
  }

  async updateResources(
    id: string,
    resources: ContainerResources,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { containerId: id, linux: toResources(resources) };
    await this.#call(rpc.updateContainerResources, request, signal, WORK_TIMEOUT);
  }

  async reopenLog(id: string, signal: AbortSignal): Promise<void> {
    await this.#call(rpc.reopenContainerLog, { containerId: id }, signal);
  }

  async streamUrl(request: StreamRequest, signal: AbortSignal): Promise<string> {
    const { url } = await this.#streamCall(request, signal);
    return url;
  }

  makeLinks(dir: string, links: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    return makeLinks(this.#channel, dir, links, signal);
  }

  #streamCall(request: StreamRequest, signal: AbortSignal): Promise<{ url: string }> {
    if (request.kind === "port-forward") {
      const { sandboxId, ports } = request;
      return this.#call(rpc.portForward, { podSandboxId: sandboxId, port: [...ports] }, signal);
    }
    const { containerId, stdin, stdout, stderr, tty } = request;
    const streams = { containerId, stdin, stdout, stderr, tty };
    return request.kind === "exec"
      ? this.#call(rpc.exec, { ...streams, cmd: [...request.command] }, signal)
      : this.#call(rpc.attach, streams, signal);
  }

  /** A call that changes what runs: lists may soon show it, even when the call fails. */
  #remove(remove: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return removeWithTasks(remove, {
      channel: this.#channel,
      clock: this.#options.clock,
      signal,
    });
  }

  async #work<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } finally {
      for (const reader of this.#readers) reader.expect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the runtime client is closing"));
    await Promise.all(this.#running);
    this.#channel[Symbol.dispose]();
  }
}

/** What is gone needs no stop and no removal. */
async function ifPresent(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
  }
}
