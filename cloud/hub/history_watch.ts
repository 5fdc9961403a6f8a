import type { Node } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  type Logger,
  seconds,
  sleep,
} from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { keyOf, type NodeView, type ObjectKey } from "../../core/sync/mod.ts";
import { awaitingOf, isAccepted, writeAwaiting } from "./awaiting.ts";

/** Options of {@linkcode HistoryWatch}. */
export interface HistoryWatchOptions {
  readonly node: string;
  readonly epoch: string;
  /** Whether the node keeps what came from another history. */
  readonly awaiting: boolean;
  readonly view: NodeView;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the session is over. */
  readonly signal: AbortSignal;
  /** Lets the node remove it. */
  readonly prune: () => Promise<unknown> | undefined;
}

/**
 * Between two writes: a node that has lost its state has a session at another hub for a while that
 * tells of what it had, and what one says the other would undo at once, and again.
 */
const PAUSE = seconds(1);

/** Of one session: shows that its node keeps what the cluster lacks, and passes on a person's word. */
export class HistoryWatch {
  readonly #options: HistoryWatchOptions;
  readonly #key: ObjectKey;
  #running: Promise<void> | undefined;
  #again = false;
  #pruned = false;

  constructor(options: HistoryWatchOptions) {
    this.#options = options;
    this.#key = keyOf("nodes", undefined, options.node);
  }

  /** Objects of the node's view have changed. */
  changed(keys: readonly ObjectKey[]): void {
    if (keys.includes(this.#key)) this.look();
  }

  /** Makes the Node say what is so. Never throws. */
  look(): void {
    this.#again = true;
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  async #run(): Promise<void> {
    const { node, log, clock, signal } = this.#options;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      try {
        if (await this.#step()) await sleep(clock, PAUSE, signal).catch(() => {});
      } catch (error) {
        // The next report of the node brings it here again.
        log[failureLevel(error)]("the node's history is not told", {
          node,
          error: errorText(error),
        });
      }
    }
  }

  /** Returns whether it has written. */
  async #step(): Promise<boolean> {
    const { node: name, view, store, epoch, awaiting, clock, log, prune } = this.#options;
    const node = view.object(this.#key) as Node | undefined;
    // One that has not registered yet.
    if (!node) return false;
    if (awaiting && isAccepted(node, epoch) && !this.#pruned) {
      this.#pruned = true;
      log.info("the node goes over to the present history, as a person has said", { node: name });
      await prune();
      return false;
    }
    const told = awaitingOf(node)?.status === "True";
    if (told === awaiting) return false;
    await writeAwaiting(store, name, { awaiting, epoch, now: clock.now() });
    return true;
  }
}
