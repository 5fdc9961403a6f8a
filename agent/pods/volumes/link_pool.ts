import { createHash } from "node:crypto";
import { isAppError } from "../../../core/base/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";

/** Links that a pool keeps; beyond it starts anew, as names of keys may be without end. */
const MOST = 4096;

/**
 * Symbolic links to place in volumes. Deno lets only a process with unscoped file permissions make
 * one, but any may give an existing one another name: a hard link. So the runtime makes each link
 * once, in `dir`, and volumes of the same file system get it from there.
 */
export class LinkPool {
  readonly #dir: string;
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  #able: boolean;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dir: string, runtime: Runtime, signal: AbortSignal) {
    this.#dir = dir;
    this.#runtime = runtime;
    this.#signal = signal;
    this.#able = runtime.makeLinks !== undefined;
  }

  /**
   * Whether links to all of these can be placed; makes those that are not there.
   *
   * @throws {AppError} ServiceUnavailable, Timeout while the runtime is away
   */
  async ready(targets: readonly string[]): Promise<boolean> {
    if (!this.#able) return false;
    const mine = this.#turn.then(() => this.#make(targets));
    // One after the other; who waits is not told of another's failure.
    this.#turn = mine.catch(() => {});
    return await mine;
  }

  /** Places a link to `target`, which must be {@linkcode ready}; `path` must be free. */
  async place(target: string, path: string): Promise<void> {
    await Deno.link(this.#path(target), path);
  }

  async #make(targets: readonly string[]): Promise<boolean> {
    const missing = await this.#missing(targets);
    if (missing.size === 0) return true;
    await this.#bound(missing.size);
    try {
      await this.#runtime.makeLinks?.(this.#dir, missing, this.#signal);
    } catch (error) {
      if (isAppError(error, "ServiceUnavailable", "Timeout")) throw error;
      this.#signal.throwIfAborted();
      this.#able = false;
      return false;
    }
    // A runtime that sees other folders than the agent makes them where they are of no use.
    this.#able = (await this.#missing(targets)).size === 0;
    return this.#able;
  }

  async #missing(targets: readonly string[]): Promise<Map<string, string>> {
    const out = new Map<string, string>();
    for (const target of targets) {
      if (await readLink(this.#path(target)) !== target) out.set(nameOf(target), target);
    }
    return out;
  }

  async #bound(more: number): Promise<void> {
    await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
    let count = more;
    for await (const _ of Deno.readDir(this.#dir)) count++;
    if (count <= MOST) return;
    await Deno.remove(this.#dir, { recursive: true });
    await Deno.mkdir(this.#dir, { mode: 0o700 });
  }

  #path(target: string): string {
    return `${this.#dir}/${nameOf(target)}`;
  }
}

function nameOf(target: string): string {
  return createHash("sha256").update(target).digest("hex").slice(0, 32);
}

/** Where a link leads; `undefined` when there is nothing, or something that is no link. */
export async function readLink(path: string): Promise<string | undefined> {
  try {
    return await Deno.readLink(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return undefined;
    if (error instanceof Error && /os error 22/.test(error.message)) return undefined; // EINVAL
    throw error;
  }
}
