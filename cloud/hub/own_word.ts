import { type Clock, type Ms, seconds } from "../../core/base/mod.ts";
import { isOlder, type ObjectKey } from "../../core/sync/mod.ts";

/**
 * From what somebody else wrote to the request for a report: `kubectl delete` of a mirror looks, then
 * watches, and would not notice that it went in between. A kubelet takes as long. Of a node that was
 * thought lost all pods are marked one after the other. And the answer to a write may come after its
 * echo.
 */
const PAUSE = seconds(1);
/** The longest pause while somebody writes again whenever the node has told. */
const LONGEST_PAUSE = seconds(64);
/** Pauses after which nobody quarrels any more. */
const QUIET = 10;
/** Objects of which the last own write is remembered: more than a node has pods. */
const REMEMBERED = 500;

/**
 * Tells what somebody else wrote in a node's place from the echo of the node's own word, and calls
 * `ask` with their objects for a report: at most every {@linkcode PAUSE}, ever more seldom while it does not help.
 */
export class OwnWord implements Disposable {
  readonly #clock: Clock;
  readonly #ask: (about: readonly ObjectKey[]) => void;
  /** The newest version that the node's word has made, the latest written last. */
  readonly #written = new Map<ObjectKey, string>();
  /** What has changed since the last look, and whose word made it is not known. */
  readonly #changed = new Map<ObjectKey, string | undefined>();
  #looking: Disposable | undefined;
  #pause = PAUSE;
  #askedAt = -Infinity;

  constructor(clock: Clock, ask: (about: readonly ObjectKey[]) => void) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** The node's word made this version of an object. */
  wrote(key: ObjectKey, version: string): void {
    this.#written.delete(key);
    this.#written.set(key, version);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED && oldest !== undefined) this.#written.delete(oldest);
  }

  /** What only the node can say has changed; without a version it cannot be by its own word. */
  changed(key: ObjectKey, version: string | undefined): void {
    if (this.#isOwn(key, version)) return;
    this.#changed.set(key, version);
    if (this.#looking) return;
    if (this.#clock.monotonic() - this.#askedAt >= QUIET * this.#pause) this.#pause = PAUSE;
    this.#looking = this.#clock.timer(this.#pause, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#looking?.[Symbol.dispose]();
  }

  #look(): void {
    this.#looking = undefined;
    const others = [...this.#changed].filter(([key, version]) => !this.#isOwn(key, version));
    this.#changed.clear();
    if (others.length === 0) return;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE) as Ms;
    this.#askedAt = this.#clock.monotonic();
    this.#ask(others.map(([key]) => key));
  }

  /** Own, or overwritten since by the node's word. */
  #isOwn(key: ObjectKey, version: string | undefined): boolean {
    const written = this.#written.get(key);
    return version !== undefined && written !== undefined && !isOlder(written, version);
  }
}
