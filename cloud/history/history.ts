import { type KubeObject, type ObjectRef, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  type Logger,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { type Regress, VersionMark } from "../../core/kube/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import type { Hello } from "../../core/sync/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { Proofs } from "./proofs.ts";

/** Options of {@linkcode History}. */
export interface HistoryOptions {
  /** A store that keeps `History.mark`. */
  readonly store: () => Store;
  /** What all hubs of this cluster know, and nobody else; asked for once. */
  readonly secret: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told in the turn in which another epoch is found to hold: all that was read may be wrong. */
  readonly onEpoch: () => void;
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
 * hubs remember the newest version that they have seen, and the nodes give theirs back when they
 * come, with the proof that a hub sent it: one that is ahead of the server means a restore, and a new
 * epoch. By that nodes keep what they have until a person lets it go (docs/protocol.md 4.6).
 *
 * What it cannot see: a copy so young, or an absence of all hubs and nodes so long, that the server
 * has passed the newest version that anybody saw before anybody asks it.
 */
export class History {
  /** To be kept by every store on the server. */
  readonly mark: VersionMark;
  readonly #options: HistoryOptions;
  #proofs: Proofs | undefined;
  #epoch = "";
  /** A new epoch is being written down, or has to be. */
  #turning: Promise<void> | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.mark = new VersionMark((regress) => this.#onRegress(regress));
  }

  /** The epoch that holds now; reads or makes it the first time. */
  async epoch(): Promise<string> {
    await this.#turning;
    if (this.#epoch === "") {
      const epoch = await this.#stored() ?? await this.#make();
      if (this.#epoch === "") this.#epoch = epoch;
    }
    return this.#epoch;
  }

  /** Looks whether a node has seen what this history has not reached. @throws {AppError} when it cannot be told */
  async check(node: string, { seen, proof }: Pick<Hello, "seen" | "proof">): Promise<void> {
    await this.#turning;
    const number = Number(seen);
    if (seen === undefined || !Number.isSafeInteger(number) || number <= this.mark.newest) return;
    if (proof === undefined || !this.#proofsNow().holds(this.#epoch, seen, proof)) {
      const why = "a node says that it has seen what the cluster has not, and cannot prove it";
      this.#options.log.warn(`${why}: it is not believed`, { node, seen, at: this.mark.newest });
      return;
    }
    const to = await this.#version();
    if (number <= to) return;
    this.#options.log.error("a node has seen what the cluster has not", { node, seen, at: to });
    this.mark.turn({ from: number, to });
    await this.#turning;
  }

  /** See {@linkcode Proofs.of}. */
  prove(epoch: string, version: string): string {
    return this.#proofsNow().of(epoch, version);
  }

  /**
   * Looks whether the history stands. When it does not, what is absent may have been lost by a
   * restore, and is not to be taken for deleted.
   * @throws {AppError} when it cannot be told
   */
  async isSteady(): Promise<boolean> {
    if (this.#turning) return false;
    const before = await this.epoch();
    await this.look();
    return !this.#turning && this.#epoch === before;
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
            log[failureLevel(error)]("the cluster's history cannot be looked at", {
              error: errorText(error),
            });
          }
        }
      },
    };
  }

  /** Looks once whether the cluster has gone back, or another hub has found that it has. */
  async look(): Promise<void> {
    await this.epoch();
    await this.#version();
    await this.#turning;
    const stored = await this.#stored();
    if (stored === undefined) await this.#write(this.#epoch);
    else if (stored !== this.#epoch && !this.#turning) this.#adopt(stored);
  }

  #proofsNow(): Proofs {
    return this.#proofs ??= new Proofs(this.#options.secret());
  }

  /** A new epoch begins at once, and is written down until that is done. */
  #onRegress({ from, to }: Regress): void {
    const { log } = this.#options;
    log.error("the cluster has gone back in its history: it was restored from an older copy", {
      from,
      to,
    });
    const base = this.#epoch.split(".")[0] ?? "";
    const next = `${base}.${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
    const turning = this.#writeDown(next).finally(() => {
      if (this.#turning === turning) this.#turning = undefined;
    });
    this.#turning = turning;
    this.#adopt(next);
  }

  async #writeDown(epoch: string): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      try {
        return await this.#write(epoch);
      } catch (error) {
        log[failureLevel(error)]("the new epoch cannot be written down yet", {
          error: errorText(error),
        });
      }
      await sleep(clock, seconds(1));
    }
  }

  #adopt(epoch: string): void {
    this.#epoch = epoch;
    this.#options.onEpoch();
  }

  /** The server's version now; {@linkcode mark} is told of it. */
  async #version(): Promise<number> {
    const { resourceVersion } = await this.#options.store().list(RESOURCES.nodes, { limit: 1 });
    return Number(resourceVersion);
  }

  async #stored(): Promise<string | undefined> {
    const epoch: unknown = (await findObject(this.#options.store(), REF))?.["data"]?.epoch;
    return typeof epoch === "string" && epoch !== "" ? epoch : undefined;
  }

  async #make(): Promise<string> {
    const epoch = await this.#options.store().epoch();
    await this.#write(epoch);
    return epoch;
  }

  async #write(epoch: string): Promise<void> {
    const store = this.#options.store();
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
