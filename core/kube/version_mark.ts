import type { ResourceDef } from "../api/mod.ts";

/** A server has gone back in its versions. */
export interface Regress {
  /** The newest version that had been seen. */
  readonly from: number;
  /** The server's version now. */
  readonly to: number;
}

/** What a {@linkcode VersionMark} knew at some moment. */
export interface Seen {
  readonly newest: number;
  readonly turns: number;
}

/**
 * The newest version that was seen of one API server, over all kinds. A list shows the server's
 * version now: one that is older than what had been seen before it was asked for means that the
 * server was restored from an older copy.
 *
 * Kinds that large clusters keep in a database of their own (`--etcd-servers-overrides`) have other
 * versions and do not count.
 */
export class VersionMark {
  #newest = 0;
  /** How often the server has gone back. */
  #turns = 0;
  /** Versions up to this one may be of a history that is no more. */
  #fence = 0;
  readonly #onRegress: (regress: Regress) => void;

  constructor(onRegress: (regress: Regress) => void) {
    this.#onRegress = onRegress;
  }

  /** The newest version that was seen. */
  get newest(): number {
    return this.#newest;
  }

  /** What is known before a list is asked for. */
  now(): Seen {
    return { newest: this.#newest, turns: this.#turns };
  }

  /** An object of this version was seen. */
  saw(resource: ResourceDef, version: string | undefined): void {
    if (!counts(resource)) return;
    const number = Number(version);
    if (number > this.#newest) this.#newest = number;
  }

  /** A list showed `version`; `before` is what was known when it was asked for. */
  listed(resource: ResourceDef, version: string, before: Seen): void {
    // Asked for before the server was found to have gone back.
    if (!counts(resource) || before.turns !== this.#turns) return;
    const to = Number(version);
    if (to >= before.newest) return this.saw(resource, version);
    this.turn({ from: before.newest, to });
  }

  /** The server is known to have gone back. */
  turn(regress: Regress): void {
    this.#turns++;
    this.#fence = Math.max(this.#fence, regress.from, this.#newest);
    this.#newest = regress.to;
    this.#onRegress(regress);
  }

  /**
   * Whether a watch may go on from a version that was seen nobody knows when: it is surely of the
   * present history. One that was seen since the last turn is, whatever its number.
   */
  isPresent(resource: ResourceDef, version: string): boolean {
    return !counts(resource) || Number(version) > this.#fence;
  }
}

const APART = new Set(["events", "leases"]);

function counts({ plural }: ResourceDef): boolean {
  return !APART.has(plural);
}
