import { type Lease, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  fromTime,
  isAppError,
  type Logger,
  type Random,
  seconds,
  type Service,
  sleep,
  toMicroTime,
} from "../../core/base/mod.ts";
import { View } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";

/** How one replica is reached. */
export interface Replica {
  readonly id: string;
  /** Hex digits that its stream ids begin with. */
  readonly tag: string;
  /** Where API servers call the kubelets of its nodes. */
  readonly kubeletAddress: string;
  /** `host:port` of its port for nodes, which takes other replicas too. */
  readonly peer: string;
}

/** Options of {@linkcode Presence}. */
export interface PresenceOptions {
  readonly store: Store;
  readonly self: Replica;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const LABEL = "skerry.dev/hub";
const KUBELET = "skerry.dev/kubelet-address";
const PEER = "skerry.dev/peer";
const TAG = "skerry.dev/stream-tag";
const RENEW = seconds(10);
/** A replica that has not renewed for so long is gone. */
const LEASE_TIME = seconds(40);

/** The replicas of this cluster, by their Leases in the hub's namespace. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #leases: View<Lease>;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#leases = new View<Lease>({
      ...options,
      resource: RESOURCES.leases,
      selection: { namespace: SYSTEM_NAMESPACE, labelSelector: `${LABEL}=true` },
    });
  }

  /** The other replicas that are alive. */
  others(): Replica[] {
    const { clock, self } = this.#options;
    return this.#leases.all().flatMap((lease) => {
      const renewed = fromTime(lease.spec.renewTime) ?? 0;
      const replica = replicaOf(lease);
      if (!replica || replica.id === self.id || clock.now() - renewed > LEASE_TIME) return [];
      return [replica];
    });
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
        run: async (signal, ready) => {
          const running = this.#leases.run(signal);
          await Promise.race([this.#leases.synced, running]);
          if (!signal.aborted) ready();
          await running;
        },
      },
      {
        name: "presence",
        onFailure: "restart",
        run: async (signal, ready) => {
          while (!signal.aborted) {
            await this.#renew();
            ready();
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
        labels: { [LABEL]: "true" },
        annotations: { [KUBELET]: self.kubeletAddress, [PEER]: self.peer, [TAG]: self.tag },
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
      await store.update(ref, (current) => ({ ...current, spec: lease.spec }));
    } catch (error) {
      if (!isAppError(error, "NotFound")) {
        log.warn("the Lease of this replica cannot be renewed", { error: errorText(error) });
        return;
      }
      await store.create(RESOURCES.leases, lease);
    }
  }

  /** Leases of replicas that ended without a word. */
  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    for (const lease of this.#leases.all()) {
      const replica = replicaOf(lease);
      const renewed = fromTime(lease.spec.renewTime) ?? 0;
      if (replica && clock.now() - renewed > 3 * LEASE_TIME) await this.#remove(replica.id);
    }
  }

  async #remove(id: string): Promise<void> {
    const { store } = this.#options;
    const ref = { resource: RESOURCES.leases, namespace: SYSTEM_NAMESPACE, name: nameOf(id) };
    await store.delete(ref).catch(() => {/* another one was faster, or it runs out by itself */});
  }
}

function nameOf(id: string): string {
  return `skerry-hub-${id}`;
}

function replicaOf({ metadata, spec }: Lease): Replica | undefined {
  const { [KUBELET]: kubeletAddress, [PEER]: peer, [TAG]: tag } = metadata.annotations ?? {};
  const id = spec.holderIdentity;
  return id && kubeletAddress && peer && tag ? { id, kubeletAddress, peer, tag } : undefined;
}
