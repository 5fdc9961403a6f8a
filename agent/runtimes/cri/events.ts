import {
  type Clock,
  errorText,
  isAppError,
  type Logger,
  type Ms,
  ms,
  seconds,
  sleep,
} from "../../../core/base/mod.ts";
import { EventQueue } from "../event_queue.ts";
import { LinkedAbort } from "../linked_abort.ts";
import { LABEL } from "../runtime.ts";
import { ContainerState, PodSandboxState } from "./gen/runtime_pb.ts";
import type { Listing } from "./observe.ts";
import {
  changedPods,
  type Hint,
  isShown,
  type ListedItem,
  POLLED,
  PUSHED,
  relistGap,
  relistRest,
} from "./relist.ts";

/** Between tries to reach a runtime that is away: doubles from the first to the last. */
const RECONNECT_FIRST = ms(50);
const RECONNECT_CAP = seconds(1);

/** Why a pause ends early; made once, as it carries a stack. */
const WOKEN = new Error("something is to be listed");

/** What {@linkcode CriEvents} reads. */
export interface EventSources {
  /** Lists everything. */
  list(signal: AbortSignal): Promise<Listing>;
  /** Runs until the push ends; Unsupported when there is none (see `push.ts`). */
  push(onHint: (hint: Hint | undefined) => void, signal: AbortSignal): Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The hints of one reader. The truth is a list that is compared with the one before; pushed events
 * and our own calls only decide when to list next (`relist.ts`).
 */
export class CriEvents {
  readonly queue: EventQueue;
  readonly #sources: EventSources;
  readonly #stop = new AbortController();
  readonly #hints = new Map<string, Hint>();
  #pushed = false;
  #hintedAt: Ms | undefined;
  #misses = 0;
  #took = ms(0);
  #wake = (): void => {};

  constructor(sources: EventSources) {
    this.#sources = sources;
    this.queue = new EventQueue(() => this.#stop.abort());
  }

  /** Says that our own call changes something soon; a push makes it needless. */
  expect(): void {
    if (!this.#pushed) this.#hint(undefined);
  }

  /** Feeds {@linkcode CriEvents.queue} until `signal` aborts or the reader stops. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    using linked = new LinkedAbort(signal, this.#stop.signal);
    const { signal: both } = linked;
    while (!both.aborted) {
      // Only an abort ends a connection with an error: whatever the runtime does is met inside.
      await this.#connection(both).catch((error) => {
        if (!both.aborted) this.#sources.log.error("event loop failed", { error });
      });
    }
    this.queue.close();
  }

  /** From reaching the runtime to losing it. */
  async #connection(signal: AbortSignal): Promise<void> {
    const { clock, list } = this.#sources;
    let listed = await this.#reach(signal);
    using end = new LinkedAbort(signal);
    const pushing = this.#push(end.signal);
    this.queue.push({});
    // Between that list and the start of the push something may have changed.
    this.#hint(undefined);
    try {
      while (true) {
        await this.#pause(signal);
        const from = clock.monotonic();
        const next = toItems(await list(signal));
        this.#took = ms(clock.monotonic() - from);
        const changed = changedPods(listed, next);
        listed = next;
        this.#account(listed, changed.size > 0);
        for (const podUid of changed) this.queue.push({ podUid });
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#sources.log.warn("container runtime lost, trying again", { error: errorText(error) });
    } finally {
      end.abort();
      await pushing;
    }
  }

  async #reach(signal: AbortSignal): Promise<ReadonlyMap<string, ListedItem>> {
    const { clock, list, log } = this.#sources;
    for (let wait = RECONNECT_FIRST;; wait = ms(Math.min(wait * 2, RECONNECT_CAP))) {
      try {
        return toItems(await list(signal));
      } catch (error) {
        signal.throwIfAborted();
        log.debug("container runtime not reached", { error: errorText(error) });
      }
      await sleep(clock, wait, signal);
    }
  }

  async #push(signal: AbortSignal): Promise<void> {
    const { clock, log, push } = this.#sources;
    for (
      let wait = RECONNECT_FIRST;
      !signal.aborted;
      wait = ms(Math.min(wait * 2, RECONNECT_CAP))
    ) {
      try {
        this.#pushed = true;
        await push((hint) => this.#hint(hint), signal);
      } catch (error) {
        if (signal.aborted) break;
        if (isAppError(error, "Unsupported")) {
          this.#pushed = false;
          log.info("container runtime pushes no events, listing instead");
          return;
        }
        log.debug("event stream of the container runtime ended", { error: errorText(error) });
      }
      this.#hint(undefined);
      await sleep(clock, wait, signal).catch(() => {});
    }
    this.#pushed = false;
  }

  #hint(hint: Hint | undefined): void {
    if (hint) this.#hints.set(`${hint.kind} ${hint.id}`, hint);
    this.#hintedAt = this.#sources.clock.monotonic();
    this.#misses = 0;
    this.#wake();
  }

  /** Decides whether a change is still expected after a list. */
  #account(listed: ReadonlyMap<string, ListedItem>, changed: boolean): void {
    const had = this.#hints.size;
    for (const [key, hint] of this.#hints) if (isShown(hint, listed)) this.#hints.delete(key);
    if (had > 0 && this.#hints.size === 0) this.#hintedAt = undefined;
    this.#misses = changed ? 0 : this.#misses + 1;
    const age = this.#sources.clock.monotonic() - (this.#hintedAt ?? 0);
    if (age > PUSHED.fastFor) this.#hints.clear();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#sources;
    await sleep(clock, relistRest(this.#took), signal);
    const state = {
      misses: this.#misses,
      ...(this.#hintedAt === undefined ? {} : { hintedAt: this.#hintedAt }),
    };
    const gap = relistGap(this.#pushed ? PUSHED : POLLED, state, clock.monotonic());
    using early = new LinkedAbort(signal);
    this.#wake = () => early.abort(WOKEN);
    await sleep(clock, gap, early.signal).catch(() => {});
    this.#wake = () => {};
    signal.throwIfAborted();
  }
}

function toItems({ sandboxes, containers }: Listing): Map<string, ListedItem> {
  const items = new Map<string, ListedItem>();
  const add = (id: string, labels: Record<string, string>, state: string): void => {
    items.set(id, { id, podUid: labels[LABEL.podUid] ?? "", state });
  };
  for (const { id, labels, state } of sandboxes) {
    add(id, labels, state === PodSandboxState.SANDBOX_READY ? "ready" : "notready");
  }
  for (const { id, labels, state } of containers) {
    add(id, labels, CONTAINER_STATE[state] ?? "unknown");
  }
  return items;
}

const CONTAINER_STATE: Readonly<Record<number, string>> = {
  [ContainerState.CONTAINER_CREATED]: "created",
  [ContainerState.CONTAINER_RUNNING]: "running",
  [ContainerState.CONTAINER_EXITED]: "exited",
};
