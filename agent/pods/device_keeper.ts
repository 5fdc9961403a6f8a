import type { Pod } from "../../core/api/mod.ts";
import { type Clock, errorText, type Logger, seconds, sleep } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { type DeviceAnswer, neededDevices, type PodDevices, wantedDevices } from "./devices.ts";

/** Options of {@linkcode DeviceKeeper}. */
export interface DeviceKeeperOptions {
  /** Absent on a node that gives no devices. */
  readonly devices: PodDevices | undefined;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told when there is an answer for a pod. */
  readonly changed: (uid: string) => void;
}

const GRANTED: DeviceAnswer = { kind: "granted" };
const NO_DEVICES: DeviceAnswer = {
  kind: "waits",
  message: "this node takes no device plugins (agent option device-plugins)",
};
/** What could not be asked is asked again after this. */
const RETRY = seconds(1);

/** Asks for the devices of new pods, in the background: a plugin that hangs holds up no other pod. */
export class DeviceKeeper {
  readonly #options: DeviceKeeperOptions;
  /** By UID; `undefined` while the answer is awaited. */
  readonly #answers = new Map<string, DeviceAnswer | undefined>();
  readonly #asking = new Set<Promise<void>>();

  constructor(options: DeviceKeeperOptions) {
    this.#options = options;
  }

  /** Whether a pod has its devices; asks when nobody has. `pending` until there is an answer. */
  view(pod: Pod): DeviceAnswer | "pending" {
    if (wantedDevices(pod).size === 0) return GRANTED;
    const { devices, store } = this.#options;
    if (!devices) return neededDevices(store, pod, () => false).size === 0 ? GRANTED : NO_DEVICES;
    const uid = pod.metadata.uid ?? "";
    if (!this.#answers.has(uid)) this.#ask(pod, uid, devices);
    return this.#answers.get(uid) ?? "pending";
  }

  /** Forgets what was answered for a pod. */
  drop(uid: string): void {
    this.#answers.delete(uid);
  }

  /** Asks again for all pods that wait: a plugin has come or gone. */
  again(): void {
    for (const [uid, answer] of this.#answers) {
      if (answer?.kind !== "waits") continue;
      this.#answers.delete(uid);
      this.#options.changed(uid);
    }
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#asking]);
  }

  #ask(pod: Pod, uid: string, devices: PodDevices): void {
    this.#answers.set(uid, undefined);
    const work: Promise<void> = this.#work(pod, uid, devices)
      .finally(() => this.#asking.delete(work));
    this.#asking.add(work);
  }

  async #work(pod: Pod, uid: string, devices: PodDevices): Promise<void> {
    const { clock, log, signal, changed } = this.#options;
    try {
      const answer = await devices.allocate(pod, signal);
      // Dropped: the pod has ended in the meantime.
      if (this.#answers.has(uid)) this.#answers.set(uid, answer);
      else devices.free(uid);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("devices could not be asked for", { uid, error: errorText(error) });
      await sleep(clock, RETRY, signal).catch(() => {});
      this.#answers.delete(uid);
    }
    if (!signal.aborted) changed(uid);
  }
}
