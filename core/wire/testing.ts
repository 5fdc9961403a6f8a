import { AppError } from "../base/mod.ts";
import type { ByteChannel, Bytes } from "./channel.ts";

/** Bytes on the way before a writer waits. */
const HIGH_WATER = 64 * 1024;

/** One direction of a {@linkcode channelPair}. */
class Pipe {
  readonly #queue: Bytes[] = [];
  #size = 0;
  #ended = false;
  #broken = false;
  #wake: (() => void)[] = [];

  async read(): Promise<Bytes | undefined> {
    for (;;) {
      if (this.#broken) throw new AppError("ServiceUnavailable", "the pipe is broken");
      const bytes = this.#queue.shift();
      if (bytes) this.#size -= bytes.byteLength;
      if (bytes) this.#tell();
      if (bytes || this.#ended) return bytes;
      await this.#change();
    }
  }

  async write(bytes: Bytes): Promise<void> {
    if (this.#ended || this.#broken) throw new AppError("ServiceUnavailable", "the pipe is closed");
    this.#queue.push(bytes.slice());
    this.#size += bytes.byteLength;
    this.#tell();
    while (this.#size > HIGH_WATER && !this.#broken) await this.#change();
    if (this.#broken) throw new AppError("ServiceUnavailable", "the pipe is broken");
  }

  end(): void {
    this.#ended = true;
    this.#tell();
  }

  break(): void {
    this.#broken = true;
    this.#tell();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Two channels, each the other end of the other; closing one ends both directions. For tests. */
export function channelPair(): readonly [ByteChannel, ByteChannel] {
  const there = new Pipe();
  const back = new Pipe();
  const end = (from: Pipe, to: Pipe): ByteChannel => ({
    read: () => from.read(),
    write: (bytes) => to.write(bytes),
    end: () => Promise.resolve(to.end()),
    close: () => {
      from.break();
      // As TCP does: what was written before still arrives.
      to.end();
    },
  });
  return [end(back, there), end(there, back)];
}
