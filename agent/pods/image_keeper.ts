import { type Clock, errorText, isAppError, minutes, type Ms, ms } from "../../core/base/mod.ts";
import type { ImageAuth, Runtime } from "../runtimes/mod.ts";
import { ImagePulls } from "./image_pulls.ts";
import { failureDelay } from "./policy/backoff.ts";
import { goDuration } from "./policy/go_duration.ts";
import type { ImageView, PodEvent } from "./policy/plan.ts";
import type { PullPolicy } from "./policy/pull_policy.ts";
import { imageNameProblem } from "./policy/image_name.ts";

/** What a container needs of its image. */
export interface ImageWant {
  readonly uid: string;
  readonly container: string;
  readonly image: string;
  readonly policy: PullPolicy;
  /** Tried in turn; none: asks without a name. */
  readonly auths: readonly ImageAuth[];
  /** What its Events are about, e.g. `spec.containers{web}`. */
  readonly fieldPath: string;
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

/** Kubernetes' waiting reasons for an image that cannot be had. */
type ImageFailure = "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName";

/** A name that is no name, or that nobody may pull, gets no better by waiting; looking costs little. */
const DELAYS: Readonly<Partial<Record<ImageFailure, Ms>>> = {
  InvalidImageName: minutes(5),
  ErrImageNeverPull: minutes(1),
};

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
  readonly #pulls: ImagePulls;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
    this.#pulls = new ImagePulls(options);
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
    await Promise.allSettled([...this.#running, this.#pulls.settled()]);
  }

  /**
   * Answers when the image was looked for; a pull goes on after that.
   *
   * @throws {AppError} ServiceUnavailable when the runtime is away
   */
  async ensure(want: ImageWant): Promise<ImageView> {
    const { runtime, signal } = this.#options;
    const key = `${want.uid}/${want.container}`;
    const entry = this.#entries.get(key) ??
      { view: { state: "unknown" }, failures: 0, stop: new AbortController() };
    this.#entries.set(key, entry);
    if (entry.view.state === "pulling") return entry.view;
    // Some runtimes say of a name that is none only that they could not pull it.
    const problem = imageNameProblem(want.image);
    if (problem !== undefined) return this.#invalid(entry, want, problem);
    let info;
    try {
      info = await runtime.imageStatus(want.image, signal);
    } catch (error) {
      if (isAppError(error, "ServiceUnavailable", "Timeout") || signal.aborted) throw error;
      return this.#invalid(entry, want, errorText(error));
    }
    if (info && want.policy !== "Always") {
      const message = `Container image "${want.image}" already present on machine`;
      this.#tell(want, { type: "Normal", reason: "Pulled", message });
      return entry.view = presentView(info.id, info);
    }
    if (want.policy === "Never") return this.#never(entry, want);
    entry.view = { state: "pulling" };
    const work = this.#pull(entry, want);
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
    return entry.view;
  }

  async #pull(entry: Entry, want: ImageWant): Promise<void> {
    const { runtime, clock, signal } = this.#options;
    const { image } = want;
    this.#tell(want, { type: "Normal", reason: "Pulling", message: `Pulling image "${image}"` });
    const asked = clock.monotonic();
    try {
      const { ref, began } = await this.#pulls.pull(image, want.auths);
      const info = await runtime.imageStatus(ref, signal);
      const now = clock.monotonic();
      // Of a pull that was under way already, only the rest was this one's.
      const took = goDuration(ms(now - Math.max(began, asked)));
      const waited = goDuration(ms(now - asked));
      entry.failures = 0;
      entry.view = presentView(ref, info);
      this.#tell(want, {
        type: "Normal",
        reason: "Pulled",
        message: `Successfully pulled image "${image}" in ${took} (${waited} including waiting). ` +
          `Image size: ${info?.size ?? 0} bytes.`,
      });
    } catch (error) {
      if (signal.aborted) return;
      const text = errorText(error);
      if (isAppError(error, "Invalid", "BadRequest")) this.#invalid(entry, want, text);
      else this.#failed(entry, want, text);
    }
    if (!entry.stop.signal.aborted) this.#options.changed(want.uid);
  }

  #failed(entry: Entry, want: ImageWant, text: string): void {
    this.#fail(entry, "ErrImagePull", text);
    if (entry.stop.signal.aborted) return;
    const { image } = want;
    this.#warn(want, "Failed", `Failed to pull image "${image}": ${text}`);
    this.#warn(want, "Failed", "Error: ErrImagePull");
    const message = `Back-off pulling image "${image}"`;
    this.#tell(want, { type: "Normal", reason: "BackOff", message });
    this.#warn(want, "Failed", "Error: ImagePullBackOff");
  }

  #invalid(entry: Entry, want: ImageWant, text: string): ImageView {
    if (entry.failures === 0 && !entry.stop.signal.aborted) {
      const message = `Failed to apply default image tag "${want.image}": ${text}`;
      this.#warn(want, "InspectFailed", message);
      this.#warn(want, "Failed", "Error: InvalidImageName");
    }
    return this.#fail(entry, "InvalidImageName", text);
  }

  #never(entry: Entry, want: ImageWant): ImageView {
    const message = `Container image "${want.image}" is not present with pull policy of Never`;
    if (entry.failures === 0) {
      this.#warn(want, "ErrImageNeverPull", message);
      this.#warn(want, "Failed", "Error: ErrImageNeverPull");
    }
    return this.#fail(entry, "ErrImageNeverPull", message);
  }

  #fail(entry: Entry, reason: ImageFailure, message: string): ImageView {
    const now: Ms = this.#options.clock.now();
    entry.failures++;
    const delay = DELAYS[reason] ?? failureDelay(entry.failures);
    entry.view = { state: "failed", reason, message, at: now, until: ms(now + delay) };
    return entry.view;
  }

  #warn(want: ImageWant, reason: string, message: string): void {
    this.#tell(want, { type: "Warning", reason, message });
  }

  #tell({ uid, fieldPath }: ImageWant, event: PodEvent): void {
    this.#options.event(uid, { ...event, fieldPath });
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
