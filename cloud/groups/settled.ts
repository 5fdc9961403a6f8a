import { createHash } from "node:crypto";
import { type JsonMap, jsonMergeDiff, type KubeObject } from "../../core/api/mod.ts";
import { type Clock, hours, type Ms } from "../../core/base/mod.ts";
import { canonicalJson } from "../../core/control/mod.ts";

/** After this time it is tried again: a field that a schema did not have may be there by now. */
const AGAIN = hours(1);

/**
 * Differences between what is wanted and what is there that a write does not take away, because the
 * server writes objects in its own form: `1000m` is `1`, an empty text is absent, a field that no
 * schema has is dropped. Writing them again changes nothing.
 *
 * It is known by uid, and in this process only: another leader finds it out by one write.
 */
export class Settled {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly digest: string; readonly at: Ms }>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Whether a write of `next` over `live` would change nothing, as one has shown. */
  has(live: KubeObject, next: KubeObject): boolean {
    const known = this.#known.get(live.metadata.uid ?? "");
    if (!known || this.#clock.monotonic() - known.at >= AGAIN) return false;
    return known.digest === digestOf(live, next);
  }

  /** Learns what is left to change of what a server has answered to a write; nothing when no `next` is. */
  learn(answer: KubeObject, next: KubeObject | undefined): void {
    const { uid = "" } = answer.metadata;
    if (!next) return void this.#known.delete(uid);
    this.#known.set(uid, { digest: digestOf(answer, next), at: this.#clock.monotonic() });
  }

  /** Forgets an object that is gone. */
  forget({ metadata: { uid = "" } }: KubeObject): void {
    this.#known.delete(uid);
  }
}

/**
 * Both ways: what is to come, and what is there in its place. A list differs as a whole, so what came
 * alone would be the same after somebody has edited another item of it.
 */
function digestOf(live: KubeObject, next: KubeObject): string {
  const [from, to] = [live as unknown as JsonMap, next as unknown as JsonMap];
  const text = canonicalJson([jsonMergeDiff(from, to), jsonMergeDiff(to, from)]);
  return createHash("sha256").update(text).digest("hex");
}
