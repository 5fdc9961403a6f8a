import { type Clock, type Ms, ms } from "../../core/base/mod.ts";
import type { RuntimeInfo } from "../runtimes/mod.ts";
import type { ActContext } from "./act_context.ts";
import type { Acted, Actor } from "./actor.ts";
import type { Observer } from "./observer.ts";
import { PodEnvs, type PodEnvsOptions } from "./pod_envs.ts";
import type { PodName } from "./pod_index.ts";
import { decide, decideRemoval } from "./policy/decide.ts";
import { newMemory, type PodMemory } from "./policy/memory.ts";
import { recordDone, recordFailure } from "./policy/outcomes.ts";
import type { Plan, PodEvent, PodView } from "./policy/plan.ts";
import { mayRemove } from "./policy/removal.ts";
import { allocatedPod, freesResources } from "./policy/resize_grant.ts";
import { readySandbox } from "./policy/view.ts";
import { addressOf } from "./probes/facts.ts";
import type { PodRecord } from "./records.ts";

/** Options of {@linkcode PodWorker}. */
export interface PodWorkerOptions extends PodEnvsOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly actor: Actor;
  readonly synced: () => boolean;
  /** Told before a pod is read: whatever happened to it so far is seen now. */
  readonly begins: (uid: string) => void;
  /** Told when a pod needs less of the node, with the pods whose resize waits for that. */
  readonly freed: (waiting: Iterable<string>) => void;
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

/**
 * Works on one pod: read, observe, decide, write, act, and again until nothing is to be done.
 * Never two at once for one UID (the queue sees to that).
 */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #envs: PodEnvs;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#envs = new PodEnvs(options);
  }

  /** Notes that the volumes of a pod were written. */
  mounted(uid: string): void {
    this.#envs.mounted(uid);
  }

  /**
   * Brings one pod as far as it goes now. Returns after what time to come again.
   *
   * @throws {AppError} ServiceUnavailable when the runtime is away
   */
  async work(uid: string, name: PodName): Promise<Ms | undefined> {
    const { clock } = this.#options;
    let carry: Carry | undefined;
    let view: PodView | undefined;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // Not for a view of before: something may have come since it was asked for.
      if (!view) this.#options.begins(uid);
      const record = this.#options.records.read(uid, name);
      const memory = carry?.memory ?? record.memory;
      if (record.memory?.gone) return this.#leave(uid, record);
      view ??= await this.#options.observer.look(uid);
      const { pod } = record;
      const known = pod && await this.#envs.known(pod, memory, view);
      // From here to the commit nothing waits: two pods that are new must not both get the last place.
      const plan = pod && known
        ? decide(
          pod,
          view,
          memory,
          clock.now(),
          this.#envs.env(pod, { record, memory, view, known }),
        )
        : this.#remove(uid, { name, record, memory, view });
      if (!plan) return undefined;
      const written = this.#options.records.commit(record, {
        ...plan,
        events: [...carry?.events ?? [], ...plan.events],
      });
      if (freesResources(record.memory, plan.memory) || plan.gone) {
        this.#options.freed(this.#envs.deferred);
      }
      if (plan.gone) return this.#finish(uid);
      if (plan.actions.length === 0) {
        if (!written) return this.#wait(plan);
        // What was written may make another difference; what runs is still what was seen.
        carry = undefined;
        continue;
      }
      const acted = await this.#act(record, { uid, name, view, plan, runtime: known?.runtime });
      view = undefined;
      carry = this.#fold(plan.memory, acted);
      const rested = !acted.some((one) => one.moved) && carry.events.length === 0;
      if (rested) return this.#wait(plan);
    }
    return ms(1);
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
    const { replacedBy, tombstone } = record;
    const may = mayRemove({
      tombstone: tombstone !== undefined,
      ending: input.memory?.ending !== undefined,
      ...{ replacedBy, view },
      synced: synced(),
    });
    if (!may) return undefined;
    const now = clock.now();
    const memory = input.memory ?? newMemory({ uid, ...name }, { now, grace: ms(30_000) });
    const { graceSeconds } = tombstone ?? {};
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
      ...(record.pod ? { pod: allocatedPod(record.pod, plan.memory) } : {}),
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
    this.#envs.drop(uid);
    this.#options.ended(uid);
  }
}
