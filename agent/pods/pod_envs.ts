import type { Pod } from "../../core/api/mod.ts";
import type { RuntimeInfo } from "../runtimes/mod.ts";
import type { DeviceKeeper } from "./device_keeper.ts";
import type { Hooks } from "./hooks.ts";
import type { ImageKeeper } from "./image_keeper.ts";
import { terminationMessages } from "./messages.ts";
import type { NodeVerdicts, PodConfig } from "./options.ts";
import type { PodPaths } from "./paths.ts";
import { isTerminal } from "./policy/finish.ts";
import type { PodMemory } from "./policy/memory.ts";
import type { ImageView, NodePolicy, PodEnv, PodView, Shutdown } from "./policy/plan.ts";
import { asksResources } from "./policy/resize_grant.ts";
import { podContainers } from "./policy/roles.ts";
import { awaitsHook } from "./policy/started.ts";
import { isLive } from "./policy/view.ts";
import type { Prober } from "./probes/prober.ts";
import type { PodRecord, PodRecords } from "./records.ts";
import type { Stops } from "./stops.ts";
import type { TokenKeeper } from "./token_keeper.ts";

/** Who knows what `decide` has to know. */
export interface PodEnvsOptions {
  readonly config: PodConfig;
  readonly hostIPs: () => readonly string[];
  readonly records: PodRecords;
  readonly images: ImageKeeper;
  readonly prober: Prober;
  readonly stops: Stops;
  readonly hooks: Hooks;
  readonly devices: DeviceKeeper;
  readonly tokens: TokenKeeper;
  readonly paths: PodPaths;
  readonly verdicts?: NodeVerdicts;
  readonly runtimeInfo: () => Promise<RuntimeInfo>;
  /** Whether an older pod of this name has not ended. */
  readonly predecessor: (uid: string) => boolean;
  /** What becomes of a pod because the node goes down. */
  readonly shutdown: (pod: Pod) => Shutdown | undefined;
}

/** What had to be waited for. */
export interface Known {
  readonly messages: Readonly<Record<string, string>>;
  readonly runtime: RuntimeInfo;
}

/** Puts together what `decide` knows beside the pod, what runs, and what was remembered. */
export class PodEnvs {
  readonly #options: PodEnvsOptions;
  /** For which version of their sources the volumes were written, by UID. */
  readonly #mounted = new Map<string, string>();
  readonly #mounting = new Map<string, string>();
  /** UIDs of the pods whose resize the node cannot grant. */
  readonly #deferred = new Set<string>();

  constructor(options: PodEnvsOptions) {
    this.#options = options;
  }

  /** Notes that the volumes of a pod were written. */
  mounted(uid: string): void {
    const version = this.#mounting.get(uid);
    if (version !== undefined) this.#mounted.set(uid, version);
  }

  /** The pods that are to be looked at when another needs less of the node. */
  get deferred(): ReadonlySet<string> {
    return this.#deferred;
  }

  /** Forgets a pod, and ends what goes on for it. */
  drop(uid: string): void {
    const { hooks, devices, images, prober, tokens } = this.#options;
    this.#mounted.delete(uid);
    this.#mounting.delete(uid);
    this.#deferred.delete(uid);
    hooks.keep(uid, new Set());
    devices.drop(uid);
    images.drop(uid);
    prober.drop(uid);
    tokens.drop(uid);
  }

  /** What has to be waited for before {@linkcode PodEnvs.env}, which waits for nothing. */
  async known(pod: Pod, memory: PodMemory | undefined, view: PodView): Promise<Known> {
    const { paths, runtimeInfo } = this.#options;
    return {
      messages: await terminationMessages({ pod, view, memory, paths }),
      runtime: await runtimeInfo(),
    };
  }

  /** What is known now. From now on probes and hooks are run for what `view` shows running. */
  env(
    pod: Pod,
    input: {
      readonly record: PodRecord;
      readonly memory: PodMemory | undefined;
      readonly view: PodView;
      readonly known: Known;
    },
  ): PodEnv {
    const { images, stops, hooks, prober, hostIPs, predecessor } = this.#options;
    const { record, memory, view, known } = input;
    const uid = pod.metadata.uid ?? "";
    const byName: Record<string, ImageView> = {};
    for (const { container: { name } } of podContainers(pod)) {
      byName[name] = images.view(uid, name);
    }
    if (pod.metadata.deletionTimestamp) images.drop(uid);
    hooks.keep(uid, new Set(view.containers.filter(isLive).map((one) => one.id)));
    const volumes = pod.spec.volumes ?? [];
    const shutdown = this.#options.shutdown(pod);
    const over = pod.metadata.deletionTimestamp || (memory && isTerminal(memory));
    const waits = over ? undefined : this.#options.tokens.look(pod, record.objects.tokens);
    this.#mounting.set(uid, record.version);
    return {
      node: this.#policy(known.runtime),
      objects: record.objects,
      images: byName,
      probes: prober.follow(pod, probed(pod, view, memory), hostIPs()),
      mounted: volumes.length === 0 || this.#mounted.get(uid) === record.version,
      stopping: stops.of(uid),
      hooks: hooks.of(uid),
      messages: known.messages,
      predecessor: predecessor(uid),
      ...(waits ? { waits } : {}),
      ...(shutdown ? { shutdown } : {}),
      ...this.#verdicts(pod, memory, view),
    };
  }

  /** What the node says of a pod. */
  #verdicts(pod: Pod, memory: PodMemory | undefined, view: PodView): Partial<PodEnv> {
    const { verdicts, records } = this.#options;
    // Devices first, as with a kubelet: without them it does not matter what else is there.
    const devices = this.#deviceAnswer(pod, memory, view);
    if (!verdicts) return devices;
    const { uid = "" } = pod.metadata;
    const over = pod.metadata.deletionTimestamp || (memory && isTerminal(memory));
    const resizes = memory !== undefined && !over && asksResources(pod, memory);
    const admit = !memory?.admitted || resizes;
    const found = admit ? verdicts.admit(pod, records.admitted(uid)) : undefined;
    const never = found && verdicts.admit(pod, []) !== undefined;
    if (found && resizes) this.#deferred.add(uid);
    else this.#deferred.delete(uid);
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
    if (answer.kind === "waits") {
      return { waits: { message: answer.message, tell: "DevicesUnavailable" } };
    }
    return answer.kind === "refused" ? { rejection: answer.rejection } : {};
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
    };
  }
}

/** What is probed: as with a kubelet, no container whose `postStart` hook is not over. */
function probed(pod: Pod, view: PodView, memory: PodMemory | undefined): PodView {
  const containers = view.containers.filter((one) => !awaitsHook(pod, one, memory));
  return { ...view, containers };
}
