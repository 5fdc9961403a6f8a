import {
  type Clock,
  deadline,
  errorText,
  isAppError,
  type Logger,
  type Ms,
} from "../../core/base/mod.ts";
import type { Hook, HookView } from "./policy/plan.ts";

/** Options of {@linkcode Hooks}. */
export interface HooksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told when a hook of a pod has returned. */
  readonly changed: (uid: string) => void;
}

/** A hook that is to run. */
export interface HookRun {
  readonly hook: Hook;
  readonly container: string;
  readonly containerId: string;
  /** It is given up after this. */
  readonly limit: Ms;
  /** Does it. Rejects when it failed. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

interface Entry {
  view: HookView;
  readonly stop: AbortController;
}

/**
 * Lifecycle hooks that run in the background, and how those of live containers went. What it knows is
 * lost with the process; what has become of a hook is remembered with the pod.
 */
export class Hooks {
  readonly #options: HooksOptions;
  /** By UID, then container id. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  /** Where the hooks of a pod stand, by container id. */
  of(uid: string): Readonly<Record<string, HookView>> {
    const mine = this.#entries.get(uid) ?? [];
    return Object.fromEntries([...mine].map(([id, entry]) => [id, entry.view]));
  }

  /** Runs a hook, in place of another one of the same container. One that was begun goes on. */
  begin(uid: string, what: HookRun): void {
    const mine = this.#entries.get(uid) ?? new Map<string, Entry>();
    this.#entries.set(uid, mine);
    const before = mine.get(what.containerId);
    if (before?.view.hook === what.hook) return;
    before?.stop.abort(new Error("another hook of the container takes its place"));
    const entry: Entry = {
      view: { hook: what.hook, state: "running" },
      stop: new AbortController(),
    };
    mine.set(what.containerId, entry);
    const work = this.#run(uid, what, entry);
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  /** Ends and forgets the hooks of all containers of a pod but `ids`. */
  keep(uid: string, ids: ReadonlySet<string>): void {
    const mine = this.#entries.get(uid);
    for (const [id, entry] of mine ?? []) {
      if (ids.has(id)) continue;
      entry.stop.abort(new Error("the container has ended"));
      mine?.delete(id);
    }
    if (mine?.size === 0) this.#entries.delete(uid);
  }

  /** Waits for the hooks that were cut to end. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }

  async #run(uid: string, what: HookRun, entry: Entry): Promise<void> {
    const { clock, log, signal, changed } = this.#options;
    const { hook, container, limit, run } = what;
    const late = (): Error => new Error(`it did not return within ${limit / 1000} s`);
    const over = AbortSignal.any([signal, entry.stop.signal]);
    using limited = deadline(clock, limit, late, over);
    try {
      await run(limited.signal);
      entry.view = { hook, state: "done" };
    } catch (error) {
      if (over.aborted) return;
      if (isAppError(error, "ServiceUnavailable")) {
        // The runtime went away under it, which says nothing of the container: it runs again.
        this.#entries.get(uid)?.delete(what.containerId);
        return changed(uid);
      }
      // Like a kubelet: a hook that takes too long has had its time, and that is all.
      const state = limited.signal.aborted ? "done" : "failed";
      const message = errorText(error);
      entry.view = { hook, state, message };
      log.warn("a lifecycle hook failed", { uid, container, hook, error: message });
    }
    changed(uid);
  }
}
