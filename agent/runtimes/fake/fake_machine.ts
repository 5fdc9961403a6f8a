import { AppError, type Clock, kib, mib, type Ms, ms } from "../../../core/base/mod.ts";
import { EventQueue } from "../event_queue.ts";
import { LinkedAbort } from "../linked_abort.ts";
import type {
  ContainerConfig,
  ContainerResources,
  ContainerUsage,
  ImageFilesystem,
  ImageInfo,
  InterfaceUsage,
  Observation,
  ObservedContainer,
  ObservedSandbox,
  Runtime,
  RuntimeDetails,
  RuntimeEvent,
  SandboxConfig,
  SandboxUsage,
} from "../runtime.ts";
import type { ContainerBehaviour, ImageScript, PullScript } from "./behaviour.ts";
import { FakeRuntime } from "./fake_runtime.ts";

/** A sandbox of a {@linkcode FakeMachine}. */
export interface FakeSandbox {
  readonly id: string;
  readonly config: SandboxConfig;
  readonly createdAt: Ms;
  readonly ip: string;
  ready: boolean;
}

/** A container of a {@linkcode FakeMachine}. */
export interface FakeContainer {
  readonly id: string;
  readonly sandbox: FakeSandbox;
  readonly config: ContainerConfig;
  readonly createdAt: Ms;
  readonly behaviour: ContainerBehaviour;
  state: "created" | "running" | "exited";
  startedAt?: Ms;
  finishedAt?: Ms;
  exitCode?: number;
  reason?: string;
  message?: string;
  /** Its limits now: those it was made with, and what updates changed of them. */
  resources: ContainerResources;
  /** Ends a run that ends by itself. */
  timer?: Disposable;
  /** Called when it has ended. */
  readonly onExit: Set<() => void>;
}

/** Options of {@linkcode FakeMachine}. */
export interface FakeMachineOptions {
  readonly clock: Clock;
  /** How long sandboxes and containers take to start. @default {0} */
  readonly latency?: { readonly sandbox?: Ms; readonly create?: Ms; readonly start?: Ms };
}

/**
 * A container host in memory, on a {@linkcode Clock}: what the containers of an image do is scripted,
 * and every id and address follows from the order of calls, so that a run replays. It outlives the
 * agent: {@linkcode FakeMachine.connect} makes the client that an agent holds, as often as it restarts.
 */
export class FakeMachine {
  readonly clock: Clock;
  readonly latency: Required<NonNullable<FakeMachineOptions["latency"]>>;
  readonly sandboxes = new Map<string, FakeSandbox>();
  readonly containers = new Map<string, FakeContainer>();
  readonly images = new Map<string, ImageInfo>();
  readonly pulls = new Map<string, number>();
  /** Network counters by pod UID; pods without an entry have an idle `eth0`. */
  readonly interfaces = new Map<string, readonly InterfaceUsage[]>();
  /** What the runtime says of its set-up. */
  details: RuntimeDetails = {};
  readonly imageFilesystems: ImageFilesystem[] = [];
  readonly #scripts = new Map<string, ImageScript>();
  readonly #pullScripts = new Map<string, PullScript>();
  readonly #readers = new Set<EventQueue>();
  #down = false;
  #networkReady = true;
  #count = 0;

  constructor(options: FakeMachineOptions) {
    this.clock = options.clock;
    const { sandbox = ms(0), create = ms(0), start = ms(0) } = options.latency ?? {};
    this.latency = { sandbox, create, start };
  }

  /** A client, as an agent makes one at its start. Disposing it leaves the containers alone. */
  connect(): Runtime {
    return new FakeRuntime(this);
  }

  /** Puts an image on the machine. */
  addImage(image: string, info: Partial<ImageInfo> = {}): void {
    const id = `sha256:${fakeHash(image)}`;
    const digests = [`${image.replace(/:[^:/]*$/, "")}@${id}`];
    this.images.set(image, { id, tags: [image], digests, size: kib(1024), ...info });
  }

  /** The image of that tag, id or digest. */
  findImage(image: string): ImageInfo | undefined {
    return this.images.get(image) ??
      [...this.images.values()].find(({ id, digests }) => id === image || digests.includes(image));
  }

  /** Says what the containers of `image` do from now on. */
  script(image: string, script: ImageScript): void {
    this.#scripts.set(image, script);
  }

  /** Makes `image` one that can be pulled, in this way. */
  scriptPull(image: string, script: PullScript = {}): void {
    this.#pullScripts.set(image, script);
  }

  /** The script of an image's pull; `undefined` when no registry has it. */
  pullScript(image: string): PullScript | undefined {
    return this.#pullScripts.get(image);
  }

  /** Takes the runtime away: every call fails. Containers live on, as under a stopped containerd. */
  goDown(): void {
    this.#down = true;
  }

  /** Brings the runtime back and tells every reader to look at everything. */
  comeBack(): void {
    this.#down = false;
    for (const reader of this.#readers) reader.push({});
  }

  /** What the `NetworkReady` condition says. */
  get networkReady(): boolean {
    return this.#networkReady;
  }

  set networkReady(ready: boolean) {
    this.#networkReady = ready;
  }

  /** @throws {AppError} ServiceUnavailable while the runtime is away. */
  checkUp(): void {
    if (this.#down) {
      throw new AppError("ServiceUnavailable", "The fake runtime is down; bring it back");
    }
  }

  /** Ends a running container, as its own failure would. @throws {RangeError} when it does not run. */
  exit(containerId: string, code: number, reason?: string): void {
    const container = this.containers.get(containerId);
    if (container?.state !== "running") {
      throw new RangeError(`Cannot end container ${containerId}: it does not run`);
    }
    this.end(container, code, reason);
  }

  /** Ends a sandbox and all in it, as the death of its process or a reboot would. */
  killSandbox(sandboxId: string): void {
    const sandbox = this.sandboxes.get(sandboxId);
    if (!sandbox) throw new RangeError(`Cannot end sandbox ${sandboxId}: it is absent`);
    this.endSandbox(sandbox);
  }

  /** What a power cut does: everything has ended, nothing is removed. */
  reboot(): void {
    for (const sandbox of this.sandboxes.values()) this.endSandbox(sandbox);
    this.comeBack();
  }

  /** The containers of a pod by name, for assertions: the newest attempt of each. */
  newest(podUid: string, name: string): FakeContainer | undefined {
    let found: FakeContainer | undefined;
    for (const container of this.containers.values()) {
      const { config, sandbox } = container;
      if (sandbox.config.podUid === podUid && config.name === name) found = container;
    }
    return found;
  }

  /** The next id; ids sort in the order in which they were made. */
  nextId(kind: "sandbox" | "container"): string {
    return `${kind}-${String(++this.#count).padStart(6, "0")}`;
  }

  /** The address of the next sandbox, in 10.88.0.0/16. */
  nextIp(): string {
    return `10.88.${Math.floor(this.#count / 254) % 256}.${this.#count % 254 + 1}`;
  }

  /** What a run of a container will do. */
  behaviourOf(config: ContainerConfig, sandbox: SandboxConfig): ContainerBehaviour {
    const names = [config.imageName, config.image, ...this.findImage(config.image)?.tags ?? []];
    const script = names.map((name) => this.#scripts.get(name ?? "")).find((found) => found) ?? {};
    if (typeof script !== "function") return script;
    const { podUid, podName, podNamespace } = sandbox;
    const { name, attempt, command, args } = config;
    return script({ podUid, podName, podNamespace, name, attempt, command, args });
  }

  /** Ends a container now and tells the readers. One that has ended stays as it is. */
  end(container: FakeContainer, code: number, reason?: string): void {
    if (container.state === "exited") return;
    container.timer?.[Symbol.dispose]();
    container.state = "exited";
    container.finishedAt = this.clock.now();
    container.exitCode = code;
    container.reason = reason ?? (code === 0 ? "Completed" : "Error");
    this.changed(container.sandbox.config.podUid);
    for (const listener of container.onExit) listener();
    container.onExit.clear();
  }

  /** Ends a sandbox and kills what runs in it. */
  endSandbox(sandbox: FakeSandbox): void {
    if (!sandbox.ready) return;
    sandbox.ready = false;
    for (const container of this.containers.values()) {
      if (container.sandbox === sandbox && container.state === "running") this.end(container, 137);
    }
    this.changed(sandbox.config.podUid);
  }

  /** Tells every reader that something about a pod has changed. */
  changed(podUid: string): void {
    if (this.#down) return;
    for (const reader of this.#readers) reader.push({ podUid });
  }

  /** A new reader of events, until one of `signals` aborts or it stops reading. */
  read(signals: readonly AbortSignal[]): AsyncIterable<RuntimeEvent> {
    const stop = new LinkedAbort(...signals);
    const reader = new EventQueue(() => stop.abort());
    const leave = (): void => {
      this.#readers.delete(reader);
      reader.close();
    };
    if (stop.signal.aborted) reader.close();
    else {
      this.#readers.add(reader);
      stop.signal.addEventListener("abort", leave, { once: true });
      if (!this.#down) reader.push({});
    }
    return reader;
  }

  /** What runs, of all pods or of one. */
  observe(podUid?: string): Observation {
    const wanted = (config: SandboxConfig): boolean =>
      podUid === undefined || config.podUid === podUid;
    return {
      sandboxes: [...this.sandboxes.values()].filter((item) => wanted(item.config)).map(
        toObservedSandbox,
      ),
      containers: [...this.containers.values()].filter((item) => wanted(item.sandbox.config)).map(
        (item) => toObservedContainer(item, this.findImage(item.config.image)),
      ),
    };
  }

  /** What running containers use, of all pods or of one. */
  containerUsage(podUid?: string): ContainerUsage[] {
    const now = this.clock.now();
    return this.#running(podUid).map((item) => toContainerUsage(item, now));
  }

  /** What ready sandboxes use, of all pods or of one. */
  sandboxUsage(podUid?: string): SandboxUsage[] {
    const now = this.clock.now();
    const containers = this.#running(podUid);
    const ready = [...this.sandboxes.values()].filter(({ ready, config }) =>
      ready && (podUid === undefined || config.podUid === podUid)
    );
    return ready.map((item) => ({
      ...toSandboxUsage(item, now, this.interfaces.get(item.config.podUid)),
      processes: containers.filter(({ sandbox }) => sandbox === item).length,
    }));
  }

  #running(podUid: string | undefined): FakeContainer[] {
    return [...this.containers.values()].filter(({ state, sandbox: { config } }) =>
      state === "running" && (podUid === undefined || config.podUid === podUid)
    );
  }
}

function toContainerUsage(container: FakeContainer, now: Ms): ContainerUsage {
  const { id, sandbox, config, behaviour, startedAt = now } = container;
  return {
    id,
    podUid: sandbox.config.podUid,
    name: config.name,
    at: now,
    cpuNanos: 0,
    workingSet: mib(1),
    ...behaviour.usage?.(ms(now - startedAt)),
  };
}

const IDLE: readonly InterfaceUsage[] = [
  { name: "eth0", rxBytes: 0, rxErrors: 0, txBytes: 0, txErrors: 0 },
];

function toSandboxUsage(
  { id, config }: FakeSandbox,
  now: Ms,
  interfaces: readonly InterfaceUsage[] = IDLE,
): SandboxUsage {
  const { podUid, securityContext } = config;
  return { id, podUid, at: now, interfaces: securityContext.hostNetwork ? [] : interfaces };
}

function toObservedSandbox({ id, config, createdAt, ip, ready }: FakeSandbox): ObservedSandbox {
  const { podUid, podName, podNamespace, attempt, labels, annotations } = config;
  const ips = ready && !config.securityContext.hostNetwork ? [ip] : [];
  return { id, podUid, podName, podNamespace, attempt, ready, createdAt, ips, labels, annotations };
}

function toObservedContainer(
  container: FakeContainer,
  image: ImageInfo | undefined,
): ObservedContainer {
  const { id, sandbox, config, state, createdAt } = container;
  const { startedAt, finishedAt, exitCode, reason, message } = container;
  return {
    id,
    sandboxId: sandbox.id,
    podUid: sandbox.config.podUid,
    name: config.name,
    attempt: config.attempt,
    state,
    createdAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    image: config.imageName ?? config.image,
    imageRef: image?.digests[0] ?? image?.id ?? config.image,
    logPath: `${sandbox.config.logDirectory}/${config.logPath}`,
    labels: config.labels,
    annotations: config.annotations,
  };
}

/** Sixty-four hex digits that follow from `text` (FNV-1a, repeated): looks like a digest, is none. */
function fakeHash(text: string): string {
  let out = "";
  for (let round = 0; round < 8; round++) {
    let hash = 0x811c9dc5 + round;
    for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
    out += (hash >>> 0).toString(16).padStart(8, "0");
  }
  return out;
}
