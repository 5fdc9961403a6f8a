import {
  type Clock,
  errorText,
  isAppError,
  minutes,
  type Ms,
  ms,
  seconds,
} from "../../core/base/mod.ts";
import type { ImageAuth, Runtime } from "../runtimes/mod.ts";
import { failureDelay } from "./policy/backoff.ts";
import type { ImageView, PodEvent } from "./policy/plan.ts";
import type { PullPolicy } from "./policy/pull_policy.ts";

/** What a container needs of its image. */
export interface ImageWant {
  readonly uid: string;
  readonly container: string;
  readonly image: string;
  readonly policy: PullPolicy;
  readonly auth: ImageAuth | undefined;
}

/** Options of {@linkcode ImageKeeper}. */
export interface ImageKeeperOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Ends all pulls. */
  readonly signal: AbortSignal;
  /** Pulls at once. */
  readonly pulls: number;
  /** Told when a pull has ended, well or not. */
  readonly changed: (uid: string) => void;
  readonly event: (uid: string, event: PodEvent) => void;
}

interface Entry {
  view: ImageView;
  failures: number;
  readonly stop: AbortController;
}

/**
 * Looks for the images of containers that are to start, and pulls in the background what is not
 * there, each image once however many wait for it. What it knows is lost with the process: a
 * restarted agent looks again.
 */
export class ImageKeeper {
  readonly #options: ImageKeeperOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #pulls = new Map<string, Promise<string>>();
  readonly #running = new Set<Promise<void>>();
  #free: number;
  #queue: (() => void)[] = [];

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
    this.#free = options.pulls;
  }

  /** Where the image of a container stands. */
  view(uid: string, container: string): ImageView {
    return this.#entries.get(`${uid}/${container}`)?.view ?? { state: "unknown" };
  }

  /** Starts to look for the image again with the next run. A failure stays until it was made good. */
  forget(uid: string, container: string): void {
    this.#entries.delete(`${uid}/${container}`);
  }

  /** Ends everything for a pod. */
  drop(uid: string): void {
    for (const [key, entry] of this.#entries) {
      if (!key.startsWith(`${uid}/`)) continue;
      entry.stop.abort();
      this.#entries.delete(key);
    }
  }

  /** Waits for the pulls that were cut to end. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running, ...this.#pulls.values()]);
  }

  /**
   * Answers when the image was looked for; a pull goes on after that.
   *
   * @throws {AppError} ServiceUnavailable when the runtime is away
   */
  async ensure(want: ImageWant): Promise<ImageView> {
    const { runtime, clock, signal } = this.#options;
    const key = `${want.uid}/${want.container}`;
    const entry = this.#entries.get(key) ??
      { view: { state: "unknown" }, failures: 0, stop: new AbortController() };
    this.#entries.set(key, entry);
    if (entry.view.state === "pulling") return entry.view;
    let info;
    try {
      info = await runtime.imageStatus(want.image, signal);
    } catch (error) {
      if (isAppError(error, "ServiceUnavailable", "Timeout") || signal.aborted) throw error;
      return this.#fail(entry, "InvalidImageName", errorText(error));
    }
    if (info && want.policy !== "Always") {
      const message = `Container image "${want.image}" already present on machine`;
      this.#tell(want, { type: "Normal", reason: "Pulled", message });
      return entry.view = presentView(info.id, info);
    }
    if (want.policy === "Never") {
      const message = `Container image "${want.image}" is not present with pull policy of Never`;
      if (entry.failures === 0) {
        this.#tell(want, { type: "Warning", reason: "ErrImageNeverPull", message });
      }
      entry.failures++;
      const now = clock.now();
      return entry.view = {
        state: "failed",
        reason: "ErrImageNeverPull",
        message,
        at: now,
        until: ms(now + minutes(1)),
      };
    }
    entry.view = { state: "pulling" };
    const work = this.#pull(entry, want);
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
    return entry.view;
  }

  async #pull(entry: Entry, want: ImageWant): Promise<void> {
    const { runtime, clock, signal } = this.#options;
    this.#tell(want, {
      type: "Normal",
      reason: "Pulling",
      message: `Pulling image "${want.image}"`,
    });
    const started = clock.monotonic();
    try {
      const ref = await this.#shared(want);
      const info = await runtime.imageStatus(ref, signal);
      const took = ((clock.monotonic() - started) / 1000).toFixed(3);
      entry.failures = 0;
      entry.view = presentView(ref, info);
      this.#tell(want, {
        type: "Normal",
        reason: "Pulled",
        message: `Successfully pulled image "${want.image}" in ${took}s`,
      });
    } catch (error) {
      if (signal.aborted) return;
      const invalid = isAppError(error, "Invalid", "BadRequest");
      const text = errorText(error);
      this.#fail(entry, invalid ? "InvalidImageName" : "ErrImagePull", text);
      if (!entry.stop.signal.aborted) {
        this.#tell(want, {
          type: "Warning",
          reason: "Failed",
          message: `Failed to pull image "${want.image}": ${text}`,
        });
      }
    }
    if (!entry.stop.signal.aborted) this.#options.changed(want.uid);
  }

  /** One pull of an image for all who want it now, with the same credentials. */
  #shared(want: ImageWant): Promise<string> {
    const key = JSON.stringify([want.image, want.auth ?? null]);
    const under = this.#pulls.get(key);
    if (under) return under;
    const pull = this.#limited(() =>
      this.#options.runtime.pullImage(want.image, want.auth, this.#options.signal)
    ).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }

  async #limited<T>(fn: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#free--;
    try {
      return await fn();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free++;
    }
  }

  #fail(entry: Entry, reason: string, message: string): ImageView {
    const now: Ms = this.#options.clock.now();
    entry.failures++;
    // A name that is no name gets no better by waiting; looking again now and then costs nothing.
    const delay = reason === "InvalidImageName" ? seconds(300) : failureDelay(entry.failures);
    entry.view = { state: "failed", reason, message, at: now, until: ms(now + delay) };
    return entry.view;
  }

  #tell(want: ImageWant, event: PodEvent): void {
    const fieldPath = `spec.containers{${want.container}}`;
    this.#options.event(want.uid, { ...event, fieldPath });
  }
}

function presentView(
  ref: string,
  info: { uid?: number; username?: string } | undefined,
): ImageView {
  return {
    state: "present",
    ref,
    ...(info?.uid === undefined ? {} : { uid: info.uid }),
    ...(info?.username === undefined ? {} : { user: info.username }),
  };
}
