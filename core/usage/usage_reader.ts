import {
  AppError,
  type Clock,
  deadline,
  isAppError,
  type NodeName,
  seconds,
  SharedRead,
} from "../base/mod.ts";
import type { NodeUsage } from "./node_usage.ts";

/** Asks a node what it and its pods use. @throws {AppError} when it cannot be had */
export type ReadUsage = (node: NodeName, signal: AbortSignal) => Promise<NodeUsage>;

/** A node may take a second to measure; one that takes longer than this is left out. */
const LIMIT = seconds(5);
const MAX_AGE = seconds(10);

/** Asks nodes what they use: each at most once in ten seconds, for all who want to know. */
export class UsageReader {
  readonly #read: ReadUsage;
  readonly #clock: Clock;
  readonly #nodes = new Map<NodeName, SharedRead<NodeUsage>>();

  constructor(read: ReadUsage, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** What one node uses. @throws {AppError} when it cannot be had in five seconds */
  async one(node: NodeName, signal: AbortSignal): Promise<NodeUsage> {
    using limit = deadline(this.#clock, LIMIT, () => late(node), signal);
    return await this.#of(node).get(limit.signal);
  }

  /** What several nodes use; those that do not say are left out. */
  async all(
    nodes: ReadonlySet<NodeName>,
    signal: AbortSignal,
  ): Promise<Map<NodeName, NodeUsage>> {
    const found = new Map<NodeName, NodeUsage>();
    await Promise.all([...nodes].map(async (node) => {
      try {
        found.set(node, await this.one(node, signal));
      } catch (error) {
        if (signal.aborted || !isAppError(error)) throw error;
      }
    }));
    return found;
  }

  /** Drops what is kept of nodes that are not there any more. */
  forgetAllBut(nodes: ReadonlySet<NodeName>): void {
    for (const node of this.#nodes.keys()) if (!nodes.has(node)) this.#nodes.delete(node);
  }

  #of(node: NodeName): SharedRead<NodeUsage> {
    let shared = this.#nodes.get(node);
    if (!shared) {
      shared = new SharedRead({
        clock: this.#clock,
        maxAge: MAX_AGE,
        read: (signal) => this.#read(node, signal),
      });
      this.#nodes.set(node, shared);
    }
    return shared;
  }
}

function late(node: NodeName): AppError {
  return new AppError("Timeout", `node ${node} did not say within ${LIMIT / 1000} s what it uses`);
}
