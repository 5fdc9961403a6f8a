import { errorText, isAppError, seconds } from "../../core/base/mod.ts";
import { mayEndStrays, straysSettled } from "../../core/sync/mod.ts";
import { LABEL, type Observation } from "../runtimes/mod.ts";
import { viewOf } from "./observer.ts";
import { buryPod, type PodManagerOptions } from "./options.ts";
import type { PodIndex, PodName } from "./pod_index.ts";
import { isOfManifest } from "./policy/removal.ts";
import type { PodRecords } from "./records.ts";

/** A pod of this node that runs, and that its store does not know. */
export interface Stray extends PodName {
  readonly uid: string;
  /** A manifest of this node made it: no hub knows it. */
  readonly fromManifest: boolean;
}

/** Options of {@linkcode Strays}. */
export interface StraysOptions {
  readonly manager:
    & Pick<PodManagerOptions, "store" | "clock" | "log" | "synced" | "boundPods" | "onStrays">
    & { readonly config: { readonly nodeName: string } };
  readonly index: PodIndex;
  readonly records: PodRecords;
  readonly signal: AbortSignal;
  /** Has a pod looked at. */
  readonly add: (uid: string) => void;
}

/** Wait before a hub that could not say which pods there are is asked again. */
const AGAIN = seconds(10);

/**
 * The pods that run here and that nobody here knows, because the state folder was lost. An empty
 * store is no evidence, so they run on, but their names are known: a pod that comes under the name of
 * one waits for its end, and is evidence that it is to end. When a person has joined this node anew
 * and a complete snapshot has come, the hub is asked which pods its store has for this node, and the
 * end of the others is written down (docs/decisions/051-strays.md).
 */
export class Strays {
  readonly #options: StraysOptions;
  readonly #found = new Map<string, Stray>();
  #seen = false;
  #told: ReadonlySet<string> = new Set();
  #settling: Promise<void> | undefined;
  /** Something was found while the hub was being asked. */
  #again = false;
  #later: Disposable | undefined;

  constructor(options: StraysOptions) {
    this.#options = options;
  }

  /** Whether all was looked at once: before that nobody knows what runs here. */
  get seen(): boolean {
    return this.#seen;
  }

  /** Takes over what a look at everything has shown. What is to be done for it begins now. */
  see(all: Observation): void {
    const { index, records, add, manager: { config: { nodeName }, synced } } = this.#options;
    let known: ReadonlySet<string> | undefined;
    for (const { labels, podUid: uid } of [...all.sandboxes, ...all.containers]) {
      if (labels[LABEL.node] !== nodeName || index.name(uid)) continue;
      known ??= records.known(nodeName);
      const name = {
        namespace: labels[LABEL.podNamespace] ?? "default",
        name: labels[LABEL.podName] ?? "",
      };
      index.addName(uid, name);
      // The end of this one is written down, or its object is there and comes by itself.
      if (known.has(uid)) add(uid);
      else this.#found.set(uid, { uid, ...name, fromManifest: isOfManifest(viewOf(all, uid)) });
    }
    for (const uid of this.#found.keys()) add(uid);
    this.#seen = true;
    if (synced()) this.#settle();
    else this.#tell();
  }

  /** Whether a pod ran, unknown, when all was looked at last, and has not ended since. */
  has(uid: string): boolean {
    return this.#found.has(uid);
  }

  /** Those that run on, as nothing says that they are to end. */
  list(): Stray[] {
    return [...this.#found.values()].filter(({ uid, fromManifest, ...name }) => {
      const { tombstone, replacedBy } = this.#options.records.read(uid, name);
      return !tombstone && replacedBy !== "hub" && !(fromManifest && replacedBy === "manifest");
    });
  }

  /** A pod is known now, or has ended. */
  delete(uid: string): void {
    if (this.#found.delete(uid)) this.#tell();
  }

  /** Waits until nothing is under way, after the signal has aborted. */
  async settled(): Promise<void> {
    this.#later?.[Symbol.dispose]();
    await this.#settling;
  }

  #settle(): void {
    this.#later?.[Symbol.dispose]();
    this.#again = true;
    this.#settling ??= this.#run();
  }

  /** Never throws: nobody waits for it. */
  async #run(): Promise<void> {
    const { signal } = this.#options;
    try {
      while (this.#again && !signal.aborted) {
        this.#again = false;
        await this.#judge();
      }
      if (!signal.aborted) this.#tell();
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    } finally {
      // In the turn in which it last looked whether there is more to do.
      this.#settling = undefined;
    }
  }

  #failed(error: unknown): void {
    const { clock, log } = this.#options.manager;
    const level = isAppError(error, "ServiceUnavailable") ? "debug" : "warn";
    log[level]("pods that are not known here cannot be judged yet and run on", {
      error: errorText(error),
    });
    // An older hub will not learn it: another session, at which all is looked at anew, may be another's.
    if (isAppError(error, "MethodNotAllowed")) return;
    this.#later = clock.timer(AGAIN, () => this.#settle());
  }

  /** Writes down the end of those that the hub has no more, once that may be. */
  async #judge(): Promise<void> {
    const { signal, records, add, manager } = this.#options;
    const { store, log, boundPods, config: { nodeName } } = manager;
    if (!boundPods || !store.transact(mayEndStrays)) return;
    const asked = this.list().filter((one) => !one.fromManifest);
    const bound = new Set(asked.length === 0 ? [] : await boundPods(signal));
    // More may have been found meanwhile, which must be asked for as well.
    if (this.#again) return;
    // From here on nothing waits: what has come since is known.
    const known = records.known(nodeName);
    const gone = asked.filter(({ uid }) => !bound.has(uid) && !known.has(uid));
    store.transact((tx) => {
      for (const { uid } of gone) buryPod(tx, uid);
      straysSettled(tx);
    });
    if (gone.length === 0) return;
    const pods = gone.map(({ namespace, name, uid }) => `${namespace}/${name} (${uid})`);
    log.info("pods end that ran before this node joined anew, and that the hub has no more", {
      pods,
    });
    for (const { uid } of gone) add(uid);
  }

  #tell(): void {
    const before = this.#told;
    const uids = new Set(this.list().map(({ uid }) => uid));
    const fresh = !uids.isSubsetOf(before);
    if (!fresh && uids.size === before.size) return;
    this.#told = uids;
    this.#options.manager.onStrays?.(fresh);
  }
}
