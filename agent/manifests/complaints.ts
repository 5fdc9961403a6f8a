import type { Logger } from "../../core/base/mod.ts";

/** Logs what is wrong once, not at every look, and again when it comes back. */
export class Complaints {
  readonly #log: Logger;
  #said = new Set<string>();
  #now = new Map<string, { readonly file: string; readonly problem: string }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Notes a problem of the look that is under way. */
  add(file: string, problem: string): void {
    this.#now.set(`${file}\n${problem}`, { file, problem });
  }

  /** Ends a look. After one that was not `complete`, nothing counts as mended. */
  flush(look: { readonly complete: boolean }): void {
    for (const [key, fields] of this.#now) {
      if (!this.#said.has(key)) this.#log.warn("a manifest cannot be used", fields);
    }
    const now = new Set(this.#now.keys());
    this.#said = look.complete ? now : this.#said.union(now);
    this.#now = new Map();
  }
}
