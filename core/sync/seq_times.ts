import { minutes, type Ms, ms } from "../base/mod.ts";

/** As finely as times are told apart, while there are few. */
const STEP = minutes(1);
/** Times kept. Of more, every second one goes, and from then on half as many come. */
const KEPT = 128;

/**
 * When growing numbers were given out, roughly and in little memory: rows of an outbox have no time
 * of their own. Nothing of it outlives the process.
 */
export class SeqTimes {
  readonly #start: Ms;
  #step = STEP;
  #marks: { readonly seq: number; readonly at: Ms }[] = [];

  /** @param now by any clock that does not go back */
  constructor(now: Ms) {
    this.#start = now;
  }

  /** `seq` is given out now. */
  note(seq: number, now: Ms): void {
    const last = this.#marks.at(-1);
    if (last && now - last.at < this.#step) return;
    this.#marks.push({ seq, at: now });
    if (this.#marks.length <= KEPT) return;
    this.#marks = this.#marks.filter((_, at) => at % 2 === 0);
    this.#step = ms(2 * this.#step);
  }

  /** When `seq` was given out, or somewhat before; forgets what was before that. */
  at(seq: number): Ms {
    const after = this.#marks.findIndex((mark) => mark.seq > seq);
    const found = (after < 0 ? this.#marks.length : after) - 1;
    if (found > 0) this.#marks.splice(0, found);
    if (this.#marks.length < 2) this.#step = STEP;
    return (found < 0 ? undefined : this.#marks[0]?.at) ?? this.#start;
  }
}
