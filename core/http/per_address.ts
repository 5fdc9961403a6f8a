import type { Socket } from "node:net";

/** Counts open connections by the address that they come from. */
export class PerAddress {
  readonly #counts = new Map<string, number>();

  /** How many there are of `remote`. */
  of(remote: string): number {
    return this.#counts.get(remote) ?? 0;
  }

  /** Counts a connection of `remote` until it is closed. */
  add(socket: Pick<Socket, "once">, remote: string): void {
    this.#counts.set(remote, this.of(remote) + 1);
    socket.once("close", () => {
      const left = this.of(remote) - 1;
      if (left > 0) this.#counts.set(remote, left);
      else this.#counts.delete(remote);
    });
  }
}
