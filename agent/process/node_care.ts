import { type Pod, quantityToUnits } from "../../core/api/mod.ts";
import { AppError, bytes, errorText, type Service } from "../../core/base/mod.ts";
import { type AgentOptions, HOST_VIEW, VERSION } from "../../core/parts/mod.ts";
import {
  amountOf,
  Eviction,
  measurePods,
  observeMachine,
  parseThresholds,
  type Threshold,
} from "../eviction/mod.ts";
import { Collector, ImageDisk } from "../images/mod.ts";
import { isFromManifest } from "../manifests/mod.ts";
import {
  type Disk,
  type ExtendedResources,
  loadDisk,
  type NodeInputs,
  NodeStatus,
  parseLabels,
  parseTaints,
  type RuntimeState,
} from "../node/mod.ts";
import { type IsOwn, logRotation, type NodeVerdicts, type PodManager } from "../pods/mod.ts";
import type { Runtime, RuntimeCondition } from "../runtimes/mod.ts";
import type { Base } from "./base.ts";
import { type Enqueue, type EventReports, nodeIntent } from "./reports.ts";
import { strayText } from "./strays.ts";
import { Verdicts } from "./verdicts.ts";

/** Options of {@linkcode NodeCare}. */
export interface NodeCareOptions extends Base {
  /** Absent where the node runs functions only. */
  readonly runtime: Runtime | undefined;
  readonly pods: () => PodManager | undefined;
  readonly enqueue: Enqueue;
  readonly events: EventReports;
  /** Version of the engine of the runner, when one answers. */
  readonly engine: () => string | undefined;
  readonly onAddresses: () => void;
  /** Whether the link to the hub is up. */
  readonly linked: () => boolean;
  /** Devices of plugins. */
  readonly extended: () => ExtendedResources;
}

/** What there is where the node has a container runtime. */
interface PodCare {
  readonly eviction: Eviction;
  readonly verdicts: Verdicts;
  readonly collector: Collector;
  readonly rotation: readonly Service[];
}

/**
 * What the agent does for the node as a whole: says how it stands, decides which pods it takes and
 * which end, and keeps its disks from filling up.
 */
export class NodeCare {
  readonly #options: NodeCareOptions;
  readonly #thresholds: readonly Threshold[];
  readonly #status: NodeStatus;
  readonly #pods: PodCare | undefined;

  /** @throws {AppError} BadRequest naming an option that cannot be read */
  constructor(options: NodeCareOptions) {
    this.#options = options;
    const given = options.options;
    this.#thresholds = parseThresholds(given["eviction-hard"], given["eviction-minimum-reclaim"]);
    this.#status = this.#createStatus();
    this.#pods = options.runtime && this.#createPodCare(options.runtime);
  }

  /** Those to start before the pods: they know the node before they are asked about it. */
  services(): Service[] {
    const { collector, verdicts, eviction, rotation } = this.#pods ?? {};
    return [this.#status, collector, verdicts, eviction, ...rotation ?? []]
      .filter((one) => one !== undefined);
  }

  /** What the node says of its pods. */
  get verdicts(): NodeVerdicts | undefined {
    return this.#pods?.verdicts;
  }

  /** The container runtime, or a device, has come, gone or come back. */
  kick(): void {
    this.#status.kick();
  }

  /** The machine goes down: the node is not ready from now on. */
  shutDown(): void {
    this.#status.shutDown();
  }

  #createStatus(): NodeStatus {
    const { options, runtime, events, enqueue, engine, extended } = this.#options;
    const taints = parseTaints(options["register-with-taints"]);
    return new NodeStatus({
      ...this.#options,
      name: this.#options.node,
      address: options["node-ip"],
      labels: parseLabels(options.labels),
      taints,
      version: VERSION,
      probes: {
        ...(runtime ? { runtime: (signal: AbortSignal) => probeRuntime(runtime, signal) } : {}),
        engine: () => Promise.resolve(engine()),
        disk: () => loadDisk(options["state-dir"]),
        rest: (disk) => ({
          extended: extended(),
          images: this.#pods?.collector.images ?? [],
          kept: this.#kept(disk),
          pressures: this.#pods?.eviction.pressures ?? new Set(),
          strays: strayText(this.#options.pods(), this.#options),
        }),
      },
      report: (tx, object) => enqueue(tx, nodeIntent(object, taints)),
      event: (tx, event) => events.node(tx, event),
    });
  }

  /** What eviction keeps free is nothing that pods can ask for. */
  #kept(disk: Disk | undefined): NodeInputs["kept"] {
    const level = (signal: string): Threshold["below"] =>
      this.#thresholds.find((one) => one.signal === signal)?.below ?? { amount: 0 };
    return {
      memory: bytes(amountOf(level("memory.available"), this.#options.facts.memory)),
      disk: bytes(amountOf(level("nodefs.available"), disk?.size ?? 0)),
    };
  }

  #createPodCare(runtime: Runtime): PodCare {
    const { options, events, store, pods } = this.#options;
    const active = (): readonly Pod[] => pods()?.active() ?? [];
    const look = (uid: string): void => pods()?.look(uid);
    const podEvent = (pod: Pod, event: Parameters<EventReports["pod"]>[2]): void =>
      store.transact((tx) => events.pod(tx, pod, event));
    const nodeEvent = (event: Parameters<EventReports["node"]>[1]): void =>
      store.transact((tx) => events.node(tx, event));
    const isOwn: IsOwn = (pod) => store.transact((tx) => isFromManifest(tx, pod));
    const stateDir = options["state-dir"];
    const imageDisk = new ImageDisk({ ...this.#options, runtime, stateDir });
    const collector = new Collector({
      ...this.#options,
      runtime,
      disk: (signal) => imageDisk.load(signal),
      wanted: () => imagesOf(active()),
      ended: () => pods()?.endedUids() ?? new Set(),
      event: nodeEvent,
    });
    const eviction = new Eviction({
      ...this.#options,
      thresholds: this.#thresholds,
      observe: async (signal) => {
        const disks = { node: await loadDisk(stateDir), images: await imageDisk.load(signal) };
        return await observeMachine(disks, HOST_VIEW);
      },
      imagesApart: () => imageDisk.apart,
      active,
      isOwn,
      measure: async (some, how) => {
        const paths = pods()?.paths;
        return paths ? await measurePods({ runtime, paths }, some, how) : new Map();
      },
      reclaim: (signal) => collector.reclaim(signal),
      ended: ({ metadata }) => look(metadata.uid ?? ""),
      changed: () => this.#status.kick(),
      podEvent,
      nodeEvent,
    });
    const verdicts = new Verdicts({
      ...this.#options,
      isOwn,
      pressures: () => eviction.pressures,
      allowedUnsafeSysctls: options["allowed-unsafe-sysctls"],
      evicted: (uid) => eviction.terminate(uid),
      active,
      look,
      podEvent,
    });
    return { eviction, verdicts, collector, rotation: this.#createRotation(runtime) };
  }

  #createRotation(runtime: Runtime): Service[] {
    const { options, pods } = this.#options;
    const maxSize = quantityOption(options, "container-log-max-size");
    const maxFiles = options["container-log-max-files"];
    if (maxSize < 0) return [];
    return [logRotation({
      ...this.#options,
      running: () => pods()?.runningLogs() ?? [],
      reopen: (id, signal) => runtime.reopenLog(id, signal),
      maxSize: bytes(maxSize),
      maxFiles,
    })];
  }
}

/** The images that pods name. */
function imagesOf(pods: readonly Pod[]): Set<string> {
  return new Set(
    pods.flatMap(({ spec: { containers, initContainers = [], ephemeralContainers = [] } }) =>
      [...containers, ...initContainers, ...ephemeralContainers].map(({ image }) => image)
    ),
  );
}

/** @throws {AppError} BadRequest naming the option that is no quantity */
function quantityOption(options: AgentOptions, name: "container-log-max-size"): number {
  try {
    return quantityToUnits(options[name]);
  } catch (cause) {
    throw new AppError(
      "BadRequest",
      `--${name}=${options[name]}: must be a quantity such as 10Mi, or -1 for never`,
      { cause },
    );
  }
}

/** The runtime says that there is no network; elsewhere it says which folder lacks what. */
async function explained(
  runtime: Runtime,
  conditions: readonly RuntimeCondition[],
  signal: AbortSignal,
): Promise<readonly RuntimeCondition[]> {
  const isNetwork = ({ type, status }: RuntimeCondition): boolean =>
    type === "NetworkReady" && !status;
  if (!conditions.some(isNetwork)) return conditions;
  const problem = (await runtime.details(signal)).cni?.problem;
  return conditions.map((one) =>
    isNetwork(one) && problem ? { ...one, message: `${one.message}: ${problem}` } : one
  );
}

async function probeRuntime(runtime: Runtime, signal: AbortSignal): Promise<RuntimeState> {
  try {
    const { name, version } = await runtime.info(signal);
    const conditions = await runtime.conditions(signal);
    return {
      version: `${name}://${version}`,
      conditions: await explained(runtime, conditions, signal),
    };
  } catch (error) {
    if (signal.aborted) throw error;
    return { version: "unknown://", down: errorText(error), conditions: [] };
  }
}
