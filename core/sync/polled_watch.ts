import {
  AppError,
  type Clock,
  isAppError,
  type Ms,
  ms,
  type Random,
  seconds,
  sleep,
} from "../base/mod.ts";
import type { KubeObject } from "../api/mod.ts";
import { isOlder } from "../cache/mod.ts";
import type { Watch, WatchEvent } from "../store/mod.ts";

/** Options of {@linkcode PolledWatch}. */
export interface PolledWatchOptions {
  /** Reads it in the name of a node that wants it now; `undefined` when none does. */
  readonly read: (signal: AbortSignal) => Promise<KubeObject | undefined>;
  /** What the reader has seen of it before. @default {nothing: it is to be told all} */
  readonly known?: KubeObject | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** What one look has found. `unasked`: nobody wants it now. */
export type Found = KubeObject | "absent" | "refused" | "unasked";

/** What has been found so far. Times are of the monotonic clock. */
export interface Polled {
  readonly known: KubeObject | undefined;
  /** Whether it has been told that all is told that there is. */
  readonly complete: boolean;
  readonly changedAt: Ms;
  readonly refusedAt?: Ms | undefined;
}

/**
 * A refusal that goes on so long means that it is not there for this node. Kubernetes' node authorizer
 * refuses what is gone; and for a moment, after a server's start for longer, what it has not seen yet.
 */
const REFUSED_FOR = seconds(60);
/** The node authorizer's word for that. A right that the hub lacks is another error, and told as such. */
const UNRELATED = /no relationship found between node/;
/** Shortest and longest wait between two looks. */
const SOON = seconds(1);
const LATE = seconds(60);

/**
 * A watch of one object that may be read but not watched: it looks again and again, often while the
 * object is not what it is going to be. What the server does not answer ends it with that error.
 */
export class PolledWatch implements Watch {
  readonly #options: PolledWatchOptions;
  readonly #stop = new AbortController();

  constructor(options: PolledWatchOptions) {
    this.#options = options;
  }

  abort(): void {
    this.#stop.abort(new Error("nobody reads it any more"));
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent> {
    const { clock, random, known } = this.#options;
    const { signal } = this.#stop;
    let state: Polled = { known, complete: false, changedAt: clock.monotonic() };
    while (!signal.aborted) {
      const found = await this.#look();
      if (signal.aborted) return;
      const now = clock.monotonic();
      const step = afterLook(state, found, now);
      state = step.state;
      yield* step.events;
      await sleep(clock, pollDelay(state, now, random), signal).catch(() => {});
    }
  }

  async #look(): Promise<Found> {
    try {
      return await this.#options.read(this.#stop.signal) ?? "unasked";
    } catch (error) {
      if (this.#stop.signal.aborted) return "unasked";
      if (isAppError(error, "NotFound")) return "absent";
      if (isAppError(error, "Forbidden") && UNRELATED.test(error.message)) return "refused";
      throw error;
    }
  }
}

/**
 * What is to be told after a look at time `now`, and what is known then. Pure.
 *
 * @throws {AppError} Expired when the object is older than what was known of it
 */
export function afterLook(
  before: Polled,
  found: Found,
  now: Ms,
): { readonly state: Polled; readonly events: readonly WatchEvent[] } {
  const { refusedAt = now, ...rest } = before;
  if (found === "unasked") return { state: rest, events: [] };
  if (found === "refused" && now - refusedAt < REFUSED_FOR) {
    return { state: { ...rest, refusedAt }, events: [] };
  }
  const object = typeof found === "string" ? undefined : found;
  if (object && before.known && isOlder(object, before.known)) {
    // Taken for an event it would count as old news; what is read anew is right as it is.
    throw new AppError("Expired", `the version went back: the cluster was restored`);
  }
  const change = changeOf(before.known, object, found === "refused");
  return {
    state: {
      known: object,
      complete: true,
      changedAt: change ? now : before.changedAt,
      ...(found === "refused" ? { refusedAt } : {}),
    },
    events: [
      ...(change ? [change] : []),
      ...(before.complete ? [] : [
        {
          type: "BOOKMARK",
          resourceVersion: change?.resourceVersion ?? "0",
          initialEnd: true,
        } as const,
      ]),
    ],
  };
}

function changeOf(
  known: KubeObject | undefined,
  object: KubeObject | undefined,
  refused: boolean,
): WatchEvent | undefined {
  if (!object) {
    if (!known) return undefined;
    // What is refused may be the same as before when it is seen again: no version of it is the last.
    const { resourceVersion = "0" } = refused ? {} : known.metadata;
    return { type: "DELETED", object: known, resourceVersion };
  }
  const { uid, resourceVersion = "0" } = object.metadata;
  if (known?.metadata.uid !== uid) return { type: "ADDED", object, resourceVersion };
  if (known?.metadata.resourceVersion === resourceVersion) return undefined;
  return { type: "MODIFIED", object, resourceVersion };
}

/**
 * How long to wait before the next look. Pure but for `random`. What is as it should be is looked at
 * once a minute; anything else after a quarter of the time that it has been so, from a second up to a
 * minute. Each wait is up to a quarter longer or shorter, so that those of many pods spread.
 */
export function pollDelay(state: Polled, now: Ms, random: Random): Ms {
  const { known, refusedAt, changedAt } = state;
  const settled = known !== undefined && refusedAt === undefined && isSettled(known);
  const wait = settled ? LATE : Math.min(LATE, Math.max(SOON, (now - changedAt) / 4));
  return ms(wait * (0.75 + random() / 2));
}

/** A claim and a volume that are bound, an attachment that is attached. */
function isSettled({ kind, metadata, status }: KubeObject): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return kind === "VolumeAttachment" ? status?.attached === true : status?.phase === "Bound";
}
