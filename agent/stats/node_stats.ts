import type { Pod } from "../../core/api/mod.ts";
import { type Clock, isAppError, type Ms, ms, seconds, SharedRead } from "../../core/base/mod.ts";
import { type Disk, loadDisk, type MachineFacts } from "../node/mod.ts";
import type { PodPaths } from "../pods/mod.ts";
import type { Runtime, SandboxUsage } from "../runtimes/mod.ts";
import { cadvisorText } from "./cadvisor_metrics.ts";
import { type MachineUsage, readMachine } from "./machine.ts";
import { resourceText } from "./resource_metrics.ts";
import { type Sample, Sampler } from "./sampler.ts";
import { StorageReader } from "./storage.ts";
import { toSummary } from "./summary.ts";
import type { Summary } from "./summary_types.ts";
import { type PodView, viewPods } from "./view.ts";

/** Options of {@linkcode NodeStats}. */
export interface NodeStatsOptions {
  /** The node's name. */
  readonly node: string;
  readonly facts: MachineFacts;
  /** How long the machine has been up, at the time of the call. */
  readonly uptime: () => Ms;
  /** Absent on a node without a container runtime: only the machine is measured. */
  readonly runtime?: Runtime | undefined;
  /** The pods of this node. */
  readonly pods: () => readonly Pod[];
  /** Where pods' logs and volumes are; absent where there is no runtime. */
  readonly paths?: PodPaths | undefined;
  /** A path on the filesystem that holds volumes. */
  readonly stateDir: string;
  readonly clock: Clock;
  /** @default {the machine's own counters} */
  readonly readMachine?: () => MachineUsage;
  /** @default {statfs} */
  readonly loadDisk?: (path: string) => Promise<Disk | undefined>;
}

/**
 * What this node and its pods use, in the three forms that a kubelet serves. It measures when it is
 * asked and never by itself: at most once a second, once for all who ask at the same time.
 */
export class NodeStats {
  readonly #options: NodeStatsOptions;
  readonly #sampler: Sampler;
  readonly #storage: StorageReader;
  readonly #sandboxes: SharedRead<readonly SandboxUsage[]>;

  constructor(options: NodeStatsOptions) {
    this.#options = options;
    const { clock, runtime } = options;
    this.#sampler = new Sampler({
      ...options,
      readMachine: options.readMachine ?? (() => readMachine(clock)),
    });
    this.#sandboxes = new SharedRead({
      clock,
      maxAge: seconds(1),
      read: async (signal) => await runtime?.sandboxUsage(signal) ?? [],
    });
    this.#storage = new StorageReader({
      ...options,
      loadDisk: options.loadDisk ?? loadDisk,
    });
  }

  /**
   * `/stats/summary`. Takes a second when the last measurement is older than a minute; with `brief`
   * (the kubelet's `only_cpu_and_memory`) nothing of disks and network.
   *
   * @throws {AppError} what the runtime refuses
   */
  async summary(signal: AbortSignal, options: { readonly brief?: boolean } = {}): Promise<Summary> {
    const { node, uptime, clock, pods } = this.#options;
    const storage = options.brief ? undefined : await this.#storage.read(signal);
    const sandboxes = options.brief ? [] : await this.#sandboxes.get(signal);
    const pair = await this.#sampler.pair(signal);
    return toSummary({
      node,
      bootedAt: ms(clock.now() - uptime()),
      pair,
      pods: viewPods(pods(), { ...pair, sandboxes }),
      storage,
    });
  }

  /** `/metrics/resource`, which metrics-server reads. A failure is a metric there, no error. */
  async resourceMetrics(signal: AbortSignal): Promise<string> {
    return resourceText(await this.#view(signal, { network: false }));
  }

  /** `/metrics/cadvisor`. A failure is a metric there, no error. */
  async cadvisorMetrics(signal: AbortSignal): Promise<string> {
    return cadvisorText(this.#options.facts, await this.#view(signal, { network: true }));
  }

  async #view(
    signal: AbortSignal,
    { network }: { readonly network: boolean },
  ): Promise<{ sample: Sample; pods: PodView[] } | undefined> {
    try {
      const sandboxes = network ? await this.#sandboxes.get(signal) : [];
      const sample = await this.#sampler.sample(signal);
      return { sample, pods: viewPods(this.#options.pods(), { newest: sample, sandboxes }) };
    } catch (error) {
      if (signal.aborted || !isAppError(error)) throw error;
      return undefined;
    }
  }
}
