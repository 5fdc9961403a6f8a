import { createHmac, timingSafeEqual } from "node:crypto";

/** What is hashed with the secret, so that the key serves nothing else. */
const PURPOSE = "skerry: versions of a history";
/** Bytes of a proof: nobody guesses 128 bits. */
const SIZE = 16;

/**
 * Proofs that a hub of this cluster has seen a version of a history. Nodes keep them and give them
 * back (docs/protocol.md 4.6). No node can make one, so none can have a cluster taken for restored.
 */
export class Proofs {
  readonly #key: Uint8Array;

  /** `secret`: what all hubs of the cluster know, also of one that was restored, and nobody else. */
  constructor(secret: string) {
    this.#key = createHmac("sha256", secret).update(PURPOSE).digest();
  }

  /** The proof, in base64url, that `epoch` has reached `version`. */
  of(epoch: string, version: string): string {
    const whole = createHmac("sha256", this.#key).update(`${epoch}\0${version}`).digest();
    return whole.subarray(0, SIZE).toString("base64url");
  }

  /** Whether `proof` is {@linkcode of} just these. */
  holds(epoch: string, version: string, proof: string): boolean {
    const want = new TextEncoder().encode(this.of(epoch, version));
    const given = new TextEncoder().encode(proof);
    return want.length === given.length && timingSafeEqual(want, given);
  }
}
