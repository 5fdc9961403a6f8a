import { AppError } from "../../core/base/mod.ts";

/** Above every version that a cluster's API server will ever give, and still a 64-bit number. */
const BASE = 1n << 61n;
/** Bits of a version of this node's store; those above tell its history. */
const BITS = 48n;
const EPOCHS = 4096n;
/** What a `continue` of this node's store begins with; a cluster's is base64. */
const CONTINUE = "node.";

/**
 * The versions of this node's own store as pods see them. While the hub is away pods read from here,
 * at other times from the cluster: numbers of the one mean nothing to the other, so those of this
 * store are marked, and whoever comes with a number of the other one is told to list again.
 */
export class NodeVersions {
  readonly #base: bigint;

  /** `epoch` is the store's: numbers of a store that was made anew mean nothing either. */
  constructor(epoch: string) {
    let hash = 7n;
    for (const char of epoch) hash = (hash * 31n + BigInt(char.codePointAt(0) ?? 0)) % EPOCHS;
    this.#base = BASE + (hash << BITS);
  }

  /** A version of the store, for pods. */
  mark(version: string): string {
    return String(this.#base + BigInt(version));
  }

  /** The store's version of one that a pod has. @throws {AppError} Expired when it is not of this store */
  unmark(version: string): string {
    const number = /^\d{1,20}$/.test(version) ? BigInt(version) - this.#base : -1n;
    if (number < 0n || number >> BITS !== 0n) throw expired("the cluster", "this node");
    return String(number);
  }

  /** Refuses what a pod has of the cluster. @throws {AppError} Expired */
  refuseOthers(query: URLSearchParams): void {
    const version = query.get("resourceVersion") ?? "";
    if (version !== "" && version !== "0") this.unmark(version);
    const token = query.get("continue");
    if (token) this.unmarkContinue(token);
  }

  /** A `continue` of the store, for pods. */
  markContinue(token: string): string {
    return CONTINUE + token;
  }

  /** The store's `continue` of one that a pod has. @throws {AppError} Expired when it is not of this store */
  unmarkContinue(token: string): string {
    if (!token.startsWith(CONTINUE)) throw expired("the cluster", "this node");
    return token.slice(CONTINUE.length);
  }
}

/** Refuses what a pod has of this node's store at the cluster. @throws {AppError} Expired */
export function refuseNodeVersions(query: URLSearchParams): void {
  const version = query.get("resourceVersion") ?? "";
  const isNodes = /^\d{19,20}$/.test(version) && BigInt(version) >= BASE;
  if (isNodes || query.get("continue")?.startsWith(CONTINUE)) {
    throw expired("this node", "the cluster");
  }
}

function expired(from: string, to: string): AppError {
  return new AppError(
    "Expired",
    `too old resource version: it is of a list by ${from}, and ${to} answers now: list again`,
  );
}
