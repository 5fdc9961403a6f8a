import { type Clock, type Ms, ms } from "../../core/base/mod.ts";
import type { ActContext, Acted, Actor } from "./actor.ts";
import type { RuntimeInfo } from "../runtimes/mod.ts";
import { decide, decideRemoval } from "./policy/decide.ts";
import type { ImageKeeper } from "./image_keeper.ts";
import { newMemory, type PodMemory } from "./policy/memory.ts";
import { terminationMessages } from "./messages.ts";
import type { Observer } from "./observer.ts";
import type { DeviceKeeper } from "./device_keeper.ts";
import type { Hooks } from "./hooks.ts";
import type { NodeVerdicts, PodConfig } from "./options.ts";
import { recordDone, recordFailure } from "./policy/outcomes.ts";
import type { PodPaths } from "./paths.ts";
import type { ImageView, NodePolicy, Plan, PodEnv, PodEvent, PodView } from "./policy/plan.ts";
import type { PodName } from "./pod_index.ts";
import type { PodRecord, PodRecords } from "./records.ts";
import { addressOf } from "./probes/facts.ts";
import type { Prober } from "./probes/prober.ts";
import type { Stops } from "./stops.ts";
import { isLive, readySandbox } from "./policy/view.ts";
import { isTerminal } from "./policy/finish.ts";
import { podContainers } from "./policy/roles.ts";
import { wantsResize } from "./policy/resize.ts";
import { awaitsHook } from "./policy/started.ts";
import type { Pod } from "../../core/api/mod.ts";

/** Options of {@linkcode PodWorker}. */
export interface PodWorkerOptions {
  readonly clock: Clock;
  readonly config: PodConfig;
  readonly hostIPs: () => readonly string[];
  readonly records: PodRecords;
  readonly observer: Observer;
  readonly actor: Actor;
  readonly images: ImageKeeper;
  readonly prober: Prober;
  readonly stops: Stops;
  readonly hooks: Hooks;
  readonly devices: DeviceKeeper;
  readonly paths: PodPaths;
  readonly verdicts?: NodeVerdicts;
  /** The container runtime's name. */
  readonly runtimeInfo: () => Promise<RuntimeInfo>;
  readonly synced: () => boolean;
  /** Whether an older pod of this name has not ended. */
  readonly predecessor: (uid: string) => boolean;
  /** Told when nothing of a pod is left. */
  readonly ended: (uid: string) => void;
}

/** Rounds of one look after another before others get their turn. */
const MAX_ROUNDS = 16;
/** Events are hints, so every pod is looked at now and then without one. */
const SAFETY = ms(5 * 60_000);

/** What is carried from one round to the next without a write of its own. */
interface Carry {
  readonly memory: PodMemory;
  readonly events: readonly PodEvent[];
}

/** What was waited for. */
interface Seen {
  readonly messages: Readonly<Record<string, string>>;
  readonly runtime: RuntimeInfo;
}

/**
 * Works on one pod: read, observe, decide, write, act, and again until nothing is to be done.
 * Never two at once for one UID (the queue sees to that).
 */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  /** For which version of their sources the volumes were written, by UID. */
  readonly #mounted = new Map<string, string>();
  readonly #mounting = new Map<string, string>();

  constructor(options: PodWorkerOptions) {
    this.#options = options;
  }

  /** Notes that the volumes of a pod were written. */
  mounted(uid: string): void {
    const version = this.#mounting.get(uid);
    if (version !== undefined) this.#mounted.set(uid, version);
  }

  /**
   * Brings one pod as far as it goes now. Returns after what time to come again.
   *
   * @throws {AppError} ServiceUnavailable when the runtime is away
   */
  async work(uid: string, name: PodName): Promise<Ms | undefined> {
    let carry: Carry | undefined;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const record = this.#options.records.read(uid, name);
      const memory = carry?.memory ?? record.memory;
      if (record.memory?.gone) return this.#leave(uid, record);
      const view = await this.#options.observer.look(uid);
      const seen = record.pod && await this.#seen(record.pod, memory, view);
      // From here to the commit nothing waits: two pods that are new must not both get the last place.
      const plan = record.pod && seen
        ? this.#decide(record.pod, { record, memory, view, seen })
        : this.#remove(uid, { name, record, memory, view });
      if (!plan) return undefined;
      this.#options.records.commit(record, {
        ...plan,
        events: [...carry?.events ?? [], ...plan.events],
      });
      if (plan.gone) return this.#finish(uid);
      if (plan.actions.length === 0) return this.#wait(plan);
      const acted = await this.#act(record, { uid, name, view, plan, runtime: seen?.runtime });
      carry = this.#fold(plan.memory, acted);
      const rested = !acted.some((one) => one.moved) && carry.events.length === 0;
      if (rested) return this.#wait(plan);
    }
    return ms(1);
  }

  /** What has to be waited for before it can be decided. */
  async #seen(pod: Pod, memory: PodMemory | undefined, view: PodView): Promise<Seen> {
    const { paths, runtimeInfo } = this.#options;
    return {
      messages: await terminationMessages({ pod, view, memory, paths }),
      runtime: await runtimeInfo(),
    };
  }

  #decide(
    pod: Pod,
    input: {
      readonly record: PodRecord;
      readonly memory: PodMemory | undefined;
      readonly view: PodView;
      readonly seen: Seen;
    },
  ): Plan {
    const { clock, images, stops, hooks } = this.#options;
    const { record, memory, view, seen } = input;
    const uid = pod.metadata.uid ?? "";
    const byName: Record<string, ImageView> = {};
    for (const { container: { name } } of podContainers(pod)) {
      byName[name] = images.view(uid, name);
    }
    if (pod.metadata.deletionTimestamp) images.drop(uid);
    hooks.keep(uid, new Set(view.containers.filter(isLive).map((one) => one.id)));
    const volumes = pod.spec.volumes ?? [];
    this.#mounting.set(uid, record.version);
    return decide(pod, view, memory, clock.now(), {
      node: this.#policy(seen.runtime),
      objects: record.objects,
      images: byName,
      probes: this.#options.prober.follow(pod, probed(pod, view, memory), this.#options.hostIPs()),
      mounted: volumes.length === 0 || this.#mounted.get(uid) === record.version,
      stopping: stops.of(uid),
      hooks: hooks.of(uid),
      messages: seen.messages,
      predecessor: this.#options.predecessor(uid),
      ...this.#verdicts(pod, memory, view),
    });
  }

  /** What the node says of a pod. */
  #verdicts(pod: Pod, memory: PodMemory | undefined, view: PodView): Partial<PodEnv> {
    const { verdicts, records } = this.#options;
    // Devices first, as with a kubelet: without them it does not matter what else is there.
    const devices = this.#deviceAnswer(pod, memory, view);
    if (!verdicts) return devices;
    const { uid = "" } = pod.metadata;
    const resizes = memory !== undefined && wantsResize(pod, memory);
    const admit = !memory?.admitted || resizes;
    const found = admit ? verdicts.admit(pod, records.admitted(uid)) : undefined;
    const never = found && verdicts.admit(pod, []) !== undefined;
    const terminate = verdicts.terminate(pod);
    return {
      ...(found && !memory?.admitted ? { rejection: found } : {}),
      ...devices,
      ...(found && resizes
        ? { resizeRefused: { ...found, reason: never ? "Infeasible" : "Deferred" } }
        : {}),
      ...(terminate ? { terminate } : {}),
    };
  }

  /** Whether a pod that is new here has the devices that it asks for. */
  #deviceAnswer(
    pod: Pod,
    memory: PodMemory | undefined,
    view: PodView,
  ): Pick<PodEnv, "rejection" | "waits"> {
    const { devices, predecessor } = this.#options;
    const { uid = "", deletionTimestamp } = pod.metadata;
    const settled = deletionTimestamp || memory?.admitted || (memory && isTerminal(memory)) ||
      view.sandboxes.length > 0;
    if (settled) devices.drop(uid);
    // An older pod of the name may have the devices that this one is to get.
    if (settled || predecessor(uid)) return {};
    const answer = devices.view(pod);
    if (answer === "pending") return { waits: { message: "its devices are being allocated" } };
    if (answer.kind === "waits") return { waits: { message: answer.message, tell: true } };
    return answer.kind === "refused" ? { rejection: answer.rejection } : {};
  }

  /** Plans the end of a pod without an object; `undefined` without evidence that it is to end. */
  #remove(
    uid: string,
    input: { name: PodName; record: PodRecord; memory: PodMemory | undefined; view: PodView },
  ): Plan | undefined {
    const { clock, stops, synced } = this.#options;
    const { record, view, name } = input;
    const nothing = view.sandboxes.length === 0 && view.containers.length === 0;
    if (nothing && !input.memory && !record.tombstone) return this.#finish(uid);
    // An end that was asked for while the object was there is evidence as well.
    const evidence = record.tombstone || record.replaced || input.memory?.ending;
    if (!evidence) return undefined;
    if (!synced()) return undefined;
    const now = clock.now();
    const memory = input.memory ?? newMemory({ uid, ...name }, { now, grace: ms(30_000) });
    const { graceSeconds } = record.tombstone ?? {};
    const grace = graceSeconds === undefined ? memory.grace : ms(graceSeconds * 1000);
    this.#options.images.drop(uid);
    this.#options.prober.drop(uid);
    return decideRemoval(view, memory, { now, grace, stopping: stops.of(uid) });
  }

  async #act(
    record: PodRecord,
    input: {
      readonly uid: string;
      readonly name: PodName;
      readonly view: PodView;
      readonly plan: Plan;
      /** Absent when only what is left of a pod is ended. */
      readonly runtime: RuntimeInfo | undefined;
    },
  ): Promise<Acted[]> {
    const { config, hostIPs, actor } = this.#options;
    const { uid, name, view, plan, runtime } = input;
    const podIPs = record.pod?.spec.hostNetwork ? hostIPs() : plan.memory.ips;
    const context: ActContext = {
      uid,
      ...name,
      ...(record.pod ? { pod: record.pod } : {}),
      objects: record.objects,
      facts: {
        nodeName: config.nodeName,
        hostIPs: hostIPs(),
        podIPs,
        cpuCapacity: config.cpuCapacity,
        memoryCapacity: config.memoryCapacity,
        storageCapacity: config.storageCapacity,
      },
      services: () => this.#options.records.services(name.namespace),
      handler: () => this.#options.records.runtimeHandler(record.pod),
      systemdCgroups: runtime?.systemdCgroups ?? false,
      recursiveReadOnly: runtime?.features.recursiveReadOnly ?? false,
      address: record.pod ? addressOf(record.pod, view, hostIPs()).host : "",
      attempt: readySandbox(view)?.attempt ?? 0,
    };
    return await actor.act(plan.actions, context);
  }

  #fold(memory: PodMemory, acted: readonly Acted[]): Carry {
    const now = this.#options.clock.now();
    let next = memory;
    const events: PodEvent[] = [];
    for (const { action, failure, events: own } of acted) {
      events.push(...own);
      if (!failure) {
        next = recordDone(next, action);
        continue;
      }
      const recorded = recordFailure(next, failure, now);
      next = recorded.memory;
      events.push(...recorded.events);
    }
    return { memory: next, events };
  }

  #policy({ name, features }: RuntimeInfo): NodePolicy {
    const { config, hostIPs } = this.#options;
    return {
      nodeName: config.nodeName,
      runtime: name,
      recursiveReadOnly: features.recursiveReadOnly,
      strictGroups: features.supplementalGroupsPolicy,
      hostIPs: hostIPs(),
      allowPrivileged: config.allowPrivileged ?? false,
      memoryVolumes: config.memoryDir !== undefined,
      allowedUnsafeSysctls: config.allowedUnsafeSysctls ?? [],
    };
  }

  #wait(plan: Plan): Ms {
    const { clock } = this.#options;
    const until = plan.next === undefined ? SAFETY : plan.next - clock.now();
    return ms(Math.min(SAFETY, Math.max(1, until)));
  }

  /** The end was reported before: what is left is to forget the pod when its object has gone. */
  #leave(uid: string, record: PodRecord): undefined {
    if (record.pod) return;
    this.#options.records.forget(uid);
    this.#finish(uid);
  }

  #finish(uid: string): undefined {
    this.#mounted.delete(uid);
    this.#mounting.delete(uid);
    this.#options.hooks.keep(uid, new Set());
    this.#options.devices.drop(uid);
    this.#options.images.drop(uid);
    this.#options.prober.drop(uid);
    this.#options.ended(uid);
  }
}

/** What is probed: as with a kubelet, no container whose `postStart` hook is not over. */
function probed(pod: Pod, view: PodView, memory: PodMemory | undefined): PodView {
  const containers = view.containers.filter((one) => !awaitsHook(pod, one, memory));
  return { ...view, containers };
}
