import type { Pod } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  isAppError,
  type Logger,
  type Ms,
  ms,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { NodeEvent, Pressure } from "../node/mod.ts";
import { isCritical, type IsOwn, type PodEvent, type Termination } from "../pods/mod.ts";
import { hasLimits, limitExceeded } from "./limits.ts";
import { CALM, observePressure, pressuresOf, type PressureState } from "./pressure.ts";
import { rankPods, starvedBy } from "./rank.ts";
import { isMet, type Observations, type Signal, type Threshold } from "./thresholds.ts";
import type { Usages } from "./usage.ts";
import { limitEviction, pressureEviction } from "./words.ts";

/** Options of {@linkcode Eviction}. */
export interface EvictionOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly thresholds: readonly Threshold[];
  /** Looks at the machine; cheap. */
  readonly observe: (signal: AbortSignal) => Promise<Observations>;
  /** Whether writable layers and images lie on another disk than volumes and logs. */
  readonly imagesApart: () => boolean;
  /** The pods that were let in and have not ended. */
  readonly active: () => readonly Pod[];
  readonly isOwn: IsOwn;
  readonly measure: (
    pods: readonly Pod[],
    options: { readonly storage: boolean; readonly signal: AbortSignal },
  ) => Promise<Usages>;
  /** Removes what nobody uses: dead containers and images. */
  readonly reclaim: (signal: AbortSignal) => Promise<void>;
  /** Told when {@linkcode Eviction.terminate} answers something new for a pod. */
  readonly ended: (pod: Pod) => void;
  /** Told when {@linkcode Eviction.pressures} has changed. */
  readonly changed: () => void;
  readonly podEvent: (pod: Pod, event: PodEvent) => void;
  readonly nodeEvent: (event: NodeEvent) => void;
}

/** As a kubelet looks (`evictionMonitoringPeriod`). */
const EVERY = seconds(10);
/** So long an eviction is waited for before the next look. */
const CLEANUP = seconds(30);
const CLEANUP_LOOK = seconds(1);
/** Storage is measured so often where pods limit it, or less often where that takes long. */
const LIMITS_EVERY = seconds(60);
const LIMITS_SHARE = 20;
const NOT_LOOKED = "the node's resources could not be looked at";

/**
 * Ends pods before the node runs out of memory, disk or process ids, as the kubelet's eviction
 * manager does: at most one at a time, the one whose end helps most first.
 */
export class Eviction implements Service {
  readonly name = "eviction";
  readonly onFailure = "restart";
  readonly #options: EvictionOptions;
  readonly #orders = new Map<string, Termination>();
  #state: PressureState = CALM;
  #limitsAt = ms(-Infinity);

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  /** What the node has too little of. */
  get pressures(): ReadonlySet<Pressure> {
    return pressuresOf(this.#state);
  }

  /** The order to end a pod, when there is one. */
  terminate(uid: string): Termination | undefined {
    return this.#orders.get(uid);
  }

  /** See {@linkcode Service}. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, log } = this.#options;
    ready();
    while (!signal.aborted) {
      try {
        const evicted = await this.look(signal);
        if (evicted.length > 0) {
          await this.#cleanedUp(evicted, signal);
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        const fields = { error: errorText(error) };
        // The node's condition tells of a runtime that is away.
        if (isAppError(error, "ServiceUnavailable")) log.debug(NOT_LOOKED, fields);
        else log.warn(NOT_LOOKED, fields);
      }
      await sleep(clock, EVERY, signal).catch(() => {});
    }
  }

  /** One look at everything. Returns the pods that are to end. */
  async look(signal: AbortSignal): Promise<readonly Pod[]> {
    const { clock, thresholds, observe, active, changed } = this.#options;
    const observations = await observe(signal);
    const before = this.pressures;
    this.#state = observePressure(this.#state, thresholds, observations, clock.monotonic());
    const now = this.pressures;
    if (now.symmetricDifference(before).size > 0) changed();
    const pods = active();
    this.#forget(pods);
    const candidates = pods.filter(({ metadata }) => !this.#orders.has(metadata.uid ?? ""));
    const beyond = await this.#checkLimits(candidates, signal);
    if (beyond.length > 0) return beyond;
    const [threshold] = this.#state.met;
    return threshold ? await this.#relieve(threshold, observations, { candidates, signal }) : [];
  }

  async #relieve(
    threshold: Threshold,
    observations: Observations,
    { candidates, signal }: { candidates: readonly Pod[]; signal: AbortSignal },
  ): Promise<readonly Pod[]> {
    const { imagesApart, measure, nodeEvent, log } = this.#options;
    const starved = starvedBy(threshold.signal);
    const message = `Attempting to reclaim ${starved}`;
    nodeEvent({ type: "Warning", reason: "EvictionThresholdMet", message });
    log.warn("the node has too little of something", { signal: threshold.signal, starved });
    if (await this.#reclaimed(threshold.signal, signal)) return [];
    const storage = starved === "ephemeral-storage" || starved === "inodes";
    const usages = await measure(candidates, { storage, signal });
    for (const pod of rankPods(threshold.signal, candidates, usages, imagesApart())) {
      const usage = usages.get(pod.metadata.uid ?? "");
      const order = pressureEviction(threshold, observations, pod, usage);
      if (this.#evict(pod, order)) return [pod];
    }
    log.error("no pod can be evicted", { signal: threshold.signal });
    return [];
  }

  /** Whether removing what nobody uses was enough. */
  async #reclaimed(starved: Signal, signal: AbortSignal): Promise<boolean> {
    const { imagesApart, reclaim, observe } = this.#options;
    const helps = starved.startsWith("imagefs.") ||
      (starved.startsWith("nodefs.") && !imagesApart());
    if (!helps) return false;
    await reclaim(signal);
    const now = await observe(signal);
    return !this.#state.met.some((one) => isMet(one, now, { reclaim: true }));
  }

  async #checkLimits(pods: readonly Pod[], signal: AbortSignal): Promise<Pod[]> {
    const { clock, measure, imagesApart } = this.#options;
    const started = clock.monotonic();
    if (started < this.#limitsAt) return [];
    const limited = pods.filter(hasLimits);
    const usages = limited.length === 0
      ? undefined
      : await measure(limited, { storage: true, signal });
    const took = clock.monotonic() - started;
    this.#limitsAt = ms(started + Math.max(LIMITS_EVERY, took * LIMITS_SHARE));
    return limited.filter((pod) => {
      const usage = usages?.get(pod.metadata.uid ?? "");
      const message = usage && limitExceeded(pod, usage, { imagesApart: imagesApart() });
      return message !== undefined && this.#evict(pod, limitEviction(message));
    });
  }

  /** Orders the end of a pod; a critical one is left alone. */
  #evict(pod: Pod, order: Termination): boolean {
    const { isOwn, podEvent, ended, log } = this.#options;
    if (isCritical(pod, isOwn)) return false;
    const { name, namespace, uid = "" } = pod.metadata;
    log.warn("pod evicted", { ns: namespace, name, uid, why: order.message });
    podEvent(pod, { type: "Warning", reason: order.reason, message: order.message });
    this.#orders.set(uid, order);
    ended(pod);
    return true;
  }

  async #cleanedUp(evicted: readonly Pod[], signal: AbortSignal): Promise<void> {
    const { clock, active } = this.#options;
    const uids = new Set(evicted.map(({ metadata }) => metadata.uid));
    const until: Ms = ms(clock.monotonic() + CLEANUP);
    while (!signal.aborted && clock.monotonic() < until) {
      if (!active().some(({ metadata }) => uids.has(metadata.uid))) return;
      await sleep(clock, CLEANUP_LOOK, signal).catch(() => {});
    }
  }

  /** An order holds until its pod has ended; from then on the pod remembers it itself. */
  #forget(active: readonly Pod[]): void {
    const uids = new Set(active.map(({ metadata }) => metadata.uid ?? ""));
    for (const uid of this.#orders.keys()) if (!uids.has(uid)) this.#orders.delete(uid);
  }
}
