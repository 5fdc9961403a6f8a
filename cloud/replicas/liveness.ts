import type { Lease } from "../../core/api/mod.ts";
import { type Clock, fromTime, type Ms, ms, seconds } from "../../core/base/mod.ts";

/** A replica whose clock is further away than this is spoken of. */
const APART = seconds(10);

interface Sight {
  readonly renewTime: string;
  /** Monotonic: when it was first seen to be this. */
  readonly at: Ms;
  /** Whether it was something else before: somebody renews it. */
  readonly changed: boolean;
}

/**
 * Which Leases are renewed, as it is seen here: clocks of replicas may be apart. Only at first sight
 * there is nothing to go by but what the Lease itself says of the time.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #leaseTime: Ms;
  readonly #sights = new Map<string, Sight>();
  readonly #apart = new Set<string>();

  /** @param leaseTime a holder that has not renewed its Lease for so long is gone */
  constructor(clock: Clock, leaseTime: Ms) {
    this.#clock = clock;
    this.#leaseTime = leaseTime;
  }

  /**
   * Takes over how Leases are now; to be called at least every quarter of the lease time.
   * Returns those whose holder's clock is found to be apart from ours, and by how much (positive when
   * it is ahead), once each until it is right again.
   */
  see(leases: readonly Lease[]): { readonly lease: Lease; readonly ahead: Ms }[] {
    const names = new Set(leases.map(({ metadata }) => metadata.name));
    for (const name of this.#sights.keys()) if (!names.has(name)) this.#sights.delete(name);
    return leases.flatMap((lease) => {
      const { name } = lease.metadata;
      const renewTime = lease.spec.renewTime ?? "";
      const before = this.#sights.get(name);
      if (before?.renewTime === renewTime) return [];
      const at = this.#clock.monotonic();
      this.#sights.set(name, { renewTime, at, changed: before !== undefined });
      if (before === undefined) return [];
      const ahead = ((fromTime(renewTime) ?? 0) - this.#clock.now()) as Ms;
      // It was renewed since the last look, which may be a quarter of its time ago.
      if (ahead <= APART && ahead >= -APART - this.#leaseTime / 4) {
        this.#apart.delete(name);
        return [];
      }
      if (this.#apart.has(name)) return [];
      this.#apart.add(name);
      return [{ lease, ahead }];
    });
  }

  /** Whether the holder of a Lease is alive. */
  isAlive(lease: Lease): boolean {
    if (this.isOver(lease)) return false;
    const { metadata, spec } = lease;
    if (this.#sights.get(metadata.name)?.changed) return true;
    return this.#clock.now() - (fromTime(spec.renewTime) ?? 0) <= this.#leaseTime;
  }

  /** Whether a Lease has been seen for its time, and nobody has renewed it. */
  isOver(lease: Lease): boolean {
    return this.#age(lease) > this.#leaseTime;
  }

  /** Whether nobody has renewed a Lease for long. */
  isForgotten(lease: Lease): boolean {
    return this.#age(lease) > 3 * this.#leaseTime;
  }

  /** How long a Lease has been seen as it is now. */
  #age({ metadata }: Lease): Ms {
    const sight = this.#sights.get(metadata.name);
    return ms(sight ? this.#clock.monotonic() - sight.at : 0);
  }
}
