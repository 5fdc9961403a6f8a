import { type Lease, type ObjectRef, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  linkSignals,
  type Logger,
  type Ms,
  ms,
  type Random,
  seconds,
  type Service,
  sleep,
  Supervisor,
  toMicroTime,
  unlessAborted,
} from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { LEADER_LEASE, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { Liveness } from "./liveness.ts";

/** Options of {@linkcode leaderService}. */
export interface LeaderOptions {
  readonly store: Store;
  /** Unique among the replicas. */
  readonly id: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What runs on one replica at a time. */
  readonly services: readonly Service[];
  /** Told when this replica begins to lead, and when it leads no more. */
  readonly onLeading?: (leading: boolean) => void;
}

/** client-go's defaults: a lease is good for 15 s, a leader gives up after 10, and renews every 2. */
const LEASE_TIME = seconds(15);
const GIVE_UP = seconds(10);
const RETRY = seconds(2);

/**
 * Runs services while this replica leads. The end of a leader is told by its clock alone: whoever
 * could not renew for 10 s stops, and another takes over after it has seen no renewal for 15 s.
 */
export function leaderService(options: LeaderOptions): Service {
  const { clock, log, random } = options;
  return {
    name: "leader",
    onFailure: "restart",
    async run(signal, ready) {
      const claim = new Claim(options);
      ready();
      try {
        while (!signal.aborted) {
          if (await claim.try()) await lead(options, claim, signal);
          await sleep(clock, ms(RETRY * (0.8 + 0.4 * random())), signal).catch(() => {});
        }
      } finally {
        await claim.release();
        log.debug("no candidate for leadership any more", {});
      }
    },
  };
}

/** Leads until it is over. */
async function lead(options: LeaderOptions, claim: Claim, signal: AbortSignal): Promise<void> {
  const { clock, log, random, services, id } = options;
  log.info("leading", { id });
  options.onLeading?.(true);
  const over = new AbortController();
  using either = linkSignals(signal, over.signal);
  const running = new Supervisor({ clock, random, log }).run(services, either.signal);
  const stop = (): void => {
    if (over.signal.aborted) return;
    log.warn("leading no more", { id });
    over.abort(new Error("this replica leads no more"));
  };
  // Beside the renewal, which may hang for as long as a call does. No patient timer: others do not
  // wait longer either.
  const giveUp = (): Disposable =>
    clock.timer(ms(Math.max(0, claim.asked + GIVE_UP - clock.monotonic())), stop);
  let limit = giveUp();
  let trying: Promise<boolean> = Promise.resolve(true);
  try {
    while (!either.signal.aborted) {
      await sleep(clock, RETRY, either.signal).catch(() => {});
      if (either.signal.aborted) break;
      trying = claim.try();
      const held = await unlessAborted(trying, either.signal).catch((error) => {
        if (either.signal.aborted) return false;
        throw error;
      });
      if (held) {
        limit[Symbol.dispose]();
        limit = giveUp();
      } else if (claim.lost) stop();
    }
    await running;
  } finally {
    limit[Symbol.dispose]();
    over.abort(new Error("this replica leads no more"));
    await running.catch(() => {});
    options.onLeading?.(false);
    // One try at a time: what a late one finds out would be taken for what the next one did.
    await trying;
  }
}

/** One replica's claim to the Lease. */
class Claim {
  readonly #options: LeaderOptions;
  readonly #ref: ObjectRef = {
    resource: RESOURCES.leases,
    namespace: SYSTEM_NAMESPACE,
    name: LEADER_LEASE,
  };
  readonly #liveness: Liveness;
  #held = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#liveness = new Liveness(options.clock, LEASE_TIME);
  }

  /** Whether another one has the Lease that this one had. */
  lost = false;
  /** When the last try began (monotonic): others count from then at the earliest. */
  asked = 0 as Ms;

  /** Takes or renews the Lease. Returns whether this replica has it. */
  async try(): Promise<boolean> {
    const { store, log, clock } = this.#options;
    this.lost = false;
    this.asked = clock.monotonic();
    try {
      await this.#write();
      this.#held = true;
    } catch (error) {
      if (isAppError(error, "NotFound")) {
        await store.create(RESOURCES.leases, this.#lease(0)).catch((problem) => {
          if (!isAppError(problem, "AlreadyExists")) {
            log[failureLevel(problem)]("no Lease to lead by", { error: errorText(problem) });
          }
        });
        return false;
      }
      if (!(error instanceof Taken)) {
        log[failureLevel(error)]("the Lease to lead by cannot be renewed", {
          error: errorText(error),
        });
        return false;
      }
      this.lost = this.#held;
      this.#held = false;
    }
    return this.#held;
  }

  /** Lets another one lead at once. */
  async release(): Promise<void> {
    if (!this.#held) return;
    const { store, id } = this.#options;
    await store.update(this.#ref, (current) => {
      const lease = current as Lease;
      if (lease.spec.holderIdentity !== id) return current;
      return { ...lease, spec: { ...lease.spec, holderIdentity: "" } };
    }).catch(() => {/* it runs out by itself */});
  }

  async #write(): Promise<void> {
    const { store, clock, id } = this.#options;
    await store.update(this.#ref, (current) => {
      const { spec } = current as Lease;
      const holder = spec.holderIdentity ?? "";
      if (holder !== id && holder !== "" && !this.#isOver(current as Lease)) throw new Taken();
      const changes = holder === id ? 0 : 1;
      const transitions = Number(spec["leaseTransitions"] ?? 0) + changes;
      const metadata = current.metadata;
      return {
        ...this.#lease(transitions),
        metadata,
        spec: {
          ...this.#lease(transitions).spec,
          ...(changes === 0 ? { acquireTime: spec["acquireTime"] } : {}),
          renewTime: toMicroTime(clock.now()),
        },
      };
    });
  }

  /** Whether the holder has not renewed for the lease's time, by what was seen here. */
  #isOver(lease: Lease): boolean {
    this.#liveness.see([lease]);
    return this.#liveness.isOver(lease);
  }

  #lease(leaseTransitions: number): Lease {
    const { clock, id } = this.#options;
    const now = toMicroTime(clock.now());
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: LEADER_LEASE, namespace: SYSTEM_NAMESPACE },
      spec: {
        holderIdentity: id,
        leaseDurationSeconds: LEASE_TIME / 1000,
        acquireTime: now,
        renewTime: now,
        leaseTransitions,
      },
    };
  }
}

/** Another one has the Lease. */
class Taken extends Error {}
