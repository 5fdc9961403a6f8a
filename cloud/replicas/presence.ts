import { type Lease, RESOURCES } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  type Logger,
  type Random,
  seconds,
  type Service,
  sleep,
  toMicroTime,
} from "../../core/base/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import { runTogether } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import {
  CA_SECRET,
  HUB_LABEL,
  KUBELET_ANNOTATION,
  PEER_ANNOTATION,
  SYSTEM_NAMESPACE,
} from "../../core/tokens/mod.ts";
import { Liveness } from "./liveness.ts";

/** How one replica is reached. */
export interface Replica {
  readonly id: string;
  /** Hex digits that its stream ids begin with. */
  readonly tag: string;
  /** Where API servers call the kubelets of its nodes. */
  readonly kubeletAddress: string;
  /** `host:port` of its port for nodes, which takes other replicas too. */
  readonly peer: string;
  /** Fingerprint of its CA; empty when it does not tell. */
  readonly ca: string;
}

/** Options of {@linkcode Presence}. */
export interface PresenceOptions {
  readonly store: Store;
  readonly self: Replica;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const TAG = "skerry.dev/stream-tag";
const CA = "skerry.dev/ca";
const SELECTION = { namespace: SYSTEM_NAMESPACE, labelSelector: `${HUB_LABEL}=true` };
/** A replica that has not renewed its Lease for so long is gone. */
const LEASE_TIME = seconds(40);
const RENEW = seconds(10);
/** How often it is looked whether a hub with another CA is gone. */
const LOOK = seconds(2);

/** The replicas of this cluster, by their Leases in the hub's namespace. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #leases: Informer<Lease>;
  readonly #liveness: Liveness;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#liveness = new Liveness(options.clock, LEASE_TIME);
    this.#leases = new Informer<Lease>({
      ...options,
      resource: RESOURCES.leases,
      selection: SELECTION,
    });
  }

  /** The other replicas that are alive. */
  others(): Replica[] {
    const { self } = this.#options;
    return this.#leases.view.list().flatMap((lease) => {
      const replica = replicaOf(lease);
      return replica && replica.id !== self.id && this.#liveness.isAlive(lease) ? [replica] : [];
    });
  }

  /**
   * Looks whether a hub with another CA serves this cluster: nodes could come to either, and one would
   * take them while the other shuts them out. At once, but where there is a Lease of such a hub that
   * nobody seems to renew: its clock may be behind, so that is watched for {@linkcode LEASE_TIME}.
   * Returns early when `signal` aborts.
   *
   * @throws {AppError} Conflict
   */
  async refuseForeign(signal: AbortSignal): Promise<void> {
    const { store, self, clock, log } = this.#options;
    for (let said = false; !signal.aborted;) {
      const leases = (await store.list(RESOURCES.leases, SELECTION)).items as readonly Lease[];
      this.#look(leases);
      const foreign = leases.filter((lease) => {
        const { id = self.id, ca = "" } = replicaOf(lease) ?? {};
        return id !== self.id && ca !== "" && ca !== self.ca;
      });
      const alive = foreign.find((lease) => this.#liveness.isAlive(lease));
      if (alive) throw servesToo(alive);
      const unclear = foreign.find((lease) => !this.#liveness.isOver(lease));
      if (!unclear) return;
      if (!said) {
        const hub = unclear.spec.holderIdentity;
        log.info("a hub with another CA was here: looking whether it is gone", { hub });
      }
      said = true;
      await sleep(clock, LOOK, signal).catch(() => {});
    }
  }

  /** The replica that serves kubelets at `address`. */
  at(address: string): Replica | undefined {
    return this.others().find(({ kubeletAddress }) => kubeletAddress === address);
  }

  /** The replica that asked for the stream of this id. */
  ofStream(id: string): Replica | undefined {
    return this.others().find(({ tag }) => id.startsWith(tag));
  }

  /** Keeps this replica's Lease, and sees those of others; removes those that are long gone. */
  services(): Service[] {
    return [
      {
        name: "replicas",
        onFailure: "restart",
        run: (signal, ready) => runTogether([this.#leases], { signal, ready }),
      },
      {
        name: "presence",
        onFailure: "restart",
        run: async (signal, ready) => {
          while (!signal.aborted) {
            await this.#renew();
            ready();
            this.#look(this.#leases.view.list());
            await this.#sweep();
            await sleep(this.#options.clock, RENEW, signal).catch(() => {});
          }
          await this.#remove(this.#options.self.id);
        },
      },
    ];
  }

  async #renew(): Promise<void> {
    const { store, clock, self, log } = this.#options;
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: nameOf(self.id),
        namespace: SYSTEM_NAMESPACE,
        labels: { [HUB_LABEL]: "true" },
        annotations: {
          ...{ [KUBELET_ANNOTATION]: self.kubeletAddress, [PEER_ANNOTATION]: self.peer },
          ...{ [TAG]: self.tag, [CA]: self.ca },
        },
      },
      spec: {
        holderIdentity: self.id,
        leaseDurationSeconds: LEASE_TIME / 1000,
        renewTime: toMicroTime(clock.now()),
      },
    };
    const ref = {
      resource: RESOURCES.leases,
      namespace: SYSTEM_NAMESPACE,
      name: lease.metadata.name,
    };
    try {
      // All that others find this replica by, or what somebody removed would stay away.
      const { labels, annotations } = lease.metadata;
      await store.update(ref, (current) => ({
        ...current,
        metadata: {
          ...current.metadata,
          labels: { ...current.metadata.labels, ...labels },
          annotations: { ...current.metadata.annotations, ...annotations },
        },
        spec: lease.spec,
      }));
    } catch (error) {
      if (!isAppError(error, "NotFound")) {
        log[failureLevel(error)]("the Lease of this replica cannot be renewed", {
          error: errorText(error),
        });
        return;
      }
      await store.create(RESOURCES.leases, lease);
    }
  }

  #look(leases: readonly Lease[]): void {
    const { log, self } = this.#options;
    for (const { lease, ahead } of this.#liveness.see(leases)) {
      if (lease.spec.holderIdentity === self.id) continue;
      const hub = lease.spec.holderIdentity;
      const advice = "set both by NTP: times of objects and of certificates go by them";
      log.warn("the clock of another hub is apart from this one's", { hub, ahead, advice });
    }
  }

  /** Leases of replicas that ended without a word. */
  async #sweep(): Promise<void> {
    for (const lease of this.#leases.view.list()) {
      const replica = replicaOf(lease);
      if (replica && this.#liveness.isForgotten(lease)) await this.#remove(replica.id);
    }
  }

  async #remove(id: string): Promise<void> {
    const { store } = this.#options;
    const ref = { resource: RESOURCES.leases, namespace: SYSTEM_NAMESPACE, name: nameOf(id) };
    await store.delete(ref).catch(() => {/* another one was faster, or it runs out by itself */});
  }
}

function servesToo({ spec }: Lease): AppError {
  return new AppError(
    "Conflict",
    `hub ${spec.holderIdentity} serves this cluster with another CA than secret ` +
      `${SYSTEM_NAMESPACE}/${CA_SECRET} holds: the Secret was replaced while that hub ran, and ` +
      "its nodes do not know this one. Restore the Secret from a copy, or delete it while that " +
      "hub runs, which then puts it back. To go over to the new CA stop all hubs first; every " +
      "node must join again then",
  );
}

function nameOf(id: string): string {
  return `skerry-hub-${id}`;
}

function replicaOf({ metadata, spec }: Lease): Replica | undefined {
  const {
    [KUBELET_ANNOTATION]: kubeletAddress,
    [PEER_ANNOTATION]: peer,
    [TAG]: tag,
    [CA]: ca = "",
  } = metadata.annotations ??
    {};
  const id = spec.holderIdentity;
  return id && kubeletAddress && peer && tag ? { id, kubeletAddress, peer, tag, ca } : undefined;
}
