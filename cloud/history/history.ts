import { type KubeObject, type ObjectRef, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  isAppError,
  type Logger,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";

/** Options of {@linkcode History}. */
export interface HistoryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of the epoch that holds from now on: every session has to begin again. */
  readonly onEpoch: (epoch: string) => void;
}

/** The ConfigMap that holds the epoch; it is restored with everything else. */
export const HISTORY_NAME = "skerry-hub-history";
const REF: ObjectRef = {
  resource: RESOURCES.configmaps,
  namespace: SYSTEM_NAMESPACE,
  name: HISTORY_NAME,
};
const LOOK = seconds(10);

/**
 * The epoch of a cluster's history. A cluster that is restored from an older copy goes back in its
 * versions, and lacks what was made since; to nodes that looks like a deletion of all of it. The
 * hubs remember the newest version that they have seen, and the nodes tell theirs when they come:
 * one that is ahead of the server means a restore, and a new epoch. By that nodes keep what they
 * have until a person lets it go (docs/protocol.md 4.6).
 *
 * What it cannot see: a restore while no hub runs, of a cluster that has become newer than the copy's
 * nodes by the time that the first of them comes.
 */
export class History {
  readonly #options: HistoryOptions;
  /** The newest version that was seen of the present history. */
  #newest = 0n;
  #epoch = "";
  #looking: Promise<void> | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** The epoch that holds now; reads or makes it the first time. */
  async epoch(): Promise<string> {
    if (this.#epoch === "") {
      this.#newest = await this.#version();
      this.#epoch = await this.#stored() ?? await this.#make();
    }
    return this.#epoch;
  }

  /** Looks whether a node has seen what this history has not reached. @throws {AppError} when it cannot be told */
  async check(node: string, seen: string | undefined): Promise<void> {
    if (seen === undefined || !/^\d{1,19}$/.test(seen) || BigInt(seen) <= this.#newest) return;
    const now = await this.#version();
    if (BigInt(seen) <= now) {
      if (now > this.#newest) this.#newest = now;
      return;
    }
    this.#options.log.error("a node has seen what the cluster has not: it was restored", {
      node,
      seen,
      version: String(now),
    });
    await this.#turn(now);
  }

  /** Follows the versions and what other hubs find out. */
  service(): Service {
    const { clock, log } = this.#options;
    return {
      name: "history",
      onFailure: "restart",
      run: async (signal, ready) => {
        ready();
        while (!signal.aborted) {
          await sleep(clock, LOOK, signal).catch(() => {});
          if (signal.aborted) return;
          try {
            await this.look();
          } catch (error) {
            if (!isAppError(error)) throw error;
            log.warn("the cluster's history cannot be looked at", { error: errorText(error) });
          }
        }
      },
    };
  }

  /** Looks once whether the cluster has gone back, or another hub has found that it has. */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
    await this.#looking;
  }

  async #look(): Promise<void> {
    await this.epoch();
    const now = await this.#version();
    if (now < this.#newest) {
      const { log } = this.#options;
      log.error("the cluster has gone back in its history: it was restored", {
        from: String(this.#newest),
        to: String(now),
      });
      return await this.#turn(now);
    }
    this.#newest = now;
    const stored = await this.#stored();
    if (stored === undefined) await this.#write(this.#epoch);
    else if (stored !== this.#epoch) this.#adopt(stored);
  }

  /** A new epoch begins. */
  async #turn(now: bigint): Promise<void> {
    this.#newest = now;
    const base = (await this.#options.store.epoch()).split(".")[0] ?? "";
    const next = `${base}.${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
    await this.#write(next);
    this.#adopt(next);
  }

  #adopt(epoch: string): void {
    this.#epoch = epoch;
    this.#options.onEpoch(epoch);
  }

  async #version(): Promise<bigint> {
    const { store } = this.#options;
    const { resourceVersion } = await store.list(RESOURCES.configmaps, {
      namespace: SYSTEM_NAMESPACE,
      limit: 1,
    });
    return BigInt(resourceVersion);
  }

  async #stored(): Promise<string | undefined> {
    try {
      const { data } = await this.#options.store.get(REF);
      return typeof data?.epoch === "string" && data.epoch !== "" ? data.epoch : undefined;
    } catch (error) {
      if (isAppError(error, "NotFound")) return undefined;
      throw error;
    }
  }

  async #make(): Promise<string> {
    const epoch = await this.#options.store.epoch();
    await this.#write(epoch);
    return epoch;
  }

  async #write(epoch: string): Promise<void> {
    const { store } = this.#options;
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: HISTORY_NAME, namespace: SYSTEM_NAMESPACE },
      data: { epoch },
    };
    try {
      await store.create(RESOURCES.configmaps, object);
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
      await store.update(REF, (current) => ({ ...current, data: { epoch } }));
    }
  }
}
