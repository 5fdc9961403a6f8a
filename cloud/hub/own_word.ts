import type { Node } from "../../core/api/mod.ts";
import { type Clock, type Ms, seconds } from "../../core/base/mod.ts";
import {
  isOlder,
  isOverruled,
  keyOf,
  type KubeletEndpoint,
  type NodeView,
  type NodeWord,
  type ObjectKey,
  wordOf,
} from "../../core/sync/mod.ts";

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
/** Pods of which the last own write is remembered: more than a node has. */
const REMEMBERED = 500;

/** Options of {@linkcode OwnWord}. */
export interface OwnWordOptions {
  readonly node: string;
  readonly view: Pick<NodeView, "object">;
  readonly clock: Clock;
  /** Where its kubelet is, when that is the hub's to say. */
  readonly kubelet: () => KubeletEndpoint | undefined;
  /** Has the node tell again of itself and its pods; `about` names what others wrote. */
  readonly ask: (about: readonly ObjectKey[]) => void;
}

/**
 * Tells what somebody else wrote in a node's place from the node's own word, and asks for a report: at
 * most every {@linkcode PAUSE}, ever more seldom while it does not help. Of pods it goes by the versions
 * that the node's word has made; of the Node, which other parts of the hub write as well, by what it
 * says.
 */
export class OwnWord implements Disposable {
  readonly #options: OwnWordOptions;
  /** Of the Node. */
  readonly #key: ObjectKey;
  /** The newest version that the node's word has made, the latest written last. */
  readonly #written = new Map<ObjectKey, string>();
  #said: NodeWord | undefined;
  /** Whether others wrote it, to be asked once more after the pause. */
  readonly #suspects = new Map<ObjectKey, () => boolean>();
  #looking: Disposable | undefined;
  #pause = PAUSE;
  #askedAt = -Infinity;

  constructor(options: OwnWordOptions) {
    this.#options = options;
    this.#key = keyOf("nodes", undefined, options.node);
  }

  /** The node's word made this version of a pod. */
  wrote(key: ObjectKey, version: string): void {
    this.#written.delete(key);
    this.#written.set(key, version);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED && oldest !== undefined) this.#written.delete(oldest);
  }

  /** What the node says of itself is stored. */
  said(word: NodeWord): void {
    this.#said = word;
    this.changed([this.#key]);
  }

  /**
   * What only the node can say of a pod has changed; without a version it cannot be by its own word.
   * One that the node's word has overwritten since counts as own.
   */
  overruled(key: ObjectKey, version: string | undefined): void {
    this.#suspect(key, () => {
      const written = this.#written.get(key);
      return version === undefined || written === undefined || isOlder(written, version);
    });
  }

  /** Objects of the node's view have changed. */
  changed(keys: readonly ObjectKey[]): void {
    if (keys.includes(this.#key)) this.#suspect(this.#key, () => this.#isNodeOverruled());
  }

  [Symbol.dispose](): void {
    this.#looking?.[Symbol.dispose]();
  }

  #suspect(key: ObjectKey, isOthers: () => boolean): void {
    if (!isOthers()) return;
    this.#suspects.set(key, isOthers);
    if (this.#looking) return;
    const { clock } = this.#options;
    if (clock.monotonic() - this.#askedAt >= QUIET * this.#pause) this.#pause = PAUSE;
    this.#looking = clock.timer(this.#pause, () => this.#look());
  }

  #look(): void {
    this.#looking = undefined;
    const others = [...this.#suspects].filter(([, isOthers]) => isOthers());
    this.#suspects.clear();
    if (others.length === 0) return;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE) as Ms;
    this.#askedAt = this.#options.clock.monotonic();
    this.#options.ask(others.map(([key]) => key));
  }

  #isNodeOverruled(): boolean {
    const { view, kubelet } = this.#options;
    const node = view.object(this.#key) as Node | undefined;
    if (!node || !this.#said) return false;
    if (isOverruled(node, this.#said, kubelet())) return true;
    // The same in another place: that one is kept anyway.
    this.#said = wordOf(node, this.#said);
    return false;
  }
}
