import { type Clock, isLate, type Ms, SECOND_LOOK } from "../base/mod.ts";
import { LINK } from "./link.ts";

/** What a {@linkcode Heartbeat} does. */
export interface HeartbeatActions {
  /** Nothing was sent for one interval: say something. */
  beat(): void;
  /** Nothing was heard for three intervals: the link is dead. */
  dead(): void;
}

/**
 * Notices a half-open connection within `LINK.missedHeartbeats` intervals and keeps our side from
 * looking half-open. A process that was stopped, or had too much else to do, calls no link dead
 * before it has read what came meanwhile: a hub would end all its sessions at once. One timer, no
 * state beyond a few numbers: a hub has thousands of these.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #actions: HeartbeatActions;
  readonly #beatAfter: number;
  #interval: Ms;
  #sent: number;
  #heard: number;
  /** When the timer is to fire. */
  #due = 0 as Ms;
  /** The link is not dead before this. */
  #notBefore = 0;
  #timer: Disposable | undefined;

  /**
   * `beatAfter`: intervals of silence after which we beat. More than 1 on the side that answers
   * pings anyway, so that an idle link carries one ping and one pong and not two of each.
   */
  constructor(clock: Clock, interval: Ms, actions: HeartbeatActions, beatAfter = 1) {
    this.#clock = clock;
    this.#beatAfter = beatAfter;
    this.#actions = actions;
    this.#interval = interval;
    this.#sent = this.#heard = clock.monotonic();
    this.#arm();
  }

  /** When something was last heard, on the monotonic clock. */
  get lastHeard(): Ms {
    return this.#heard as Ms;
  }

  /** Something was sent. */
  sent(): void {
    this.#sent = this.#clock.monotonic();
  }

  /** Something was received. */
  heard(): void {
    this.#heard = this.#clock.monotonic();
  }

  /** Changes the interval (from `welcome.heartbeatMs`). */
  setInterval(interval: Ms): void {
    if (interval === this.#interval || !this.#timer) return;
    this.#interval = interval;
    this.#arm();
  }

  /** Ends it; idempotent. */
  stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    const beatAt = this.#sent + this.#interval * this.#beatAfter;
    const now = this.#clock.monotonic();
    const wait = Math.max(1, Math.min(beatAt, this.#deadAt()) - now);
    this.#due = now + wait as Ms;
    this.#timer = this.#clock.timer(wait as Ms, () => this.#tick());
  }

  #deadAt(): number {
    return Math.max(this.#heard + this.#interval * LINK.missedHeartbeats, this.#notBefore);
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    if (isLate(this.#clock, this.#due)) this.#notBefore = now + SECOND_LOOK;
    if (now >= this.#deadAt()) {
      this.stop();
      return this.#actions.dead();
    }
    if (now >= this.#sent + this.#interval * this.#beatAfter) {
      this.#sent = now;
      this.#actions.beat();
    }
    if (this.#timer) this.#arm();
  }
}
