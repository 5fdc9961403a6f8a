/** Bytes of one read or write. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A copy of `parts`, one after the other. */
export function joinBytes(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

/**
 * Bytes in both directions, in order, each as fast as its reader: what a client's connection, a
 * tunnel stream and a connection to the runtime have in common.
 */
export interface ByteChannel {
  /** The next bytes; `undefined` at their end. One read at a time. @throws when the channel broke */
  read(): Promise<Bytes | undefined>;
  /** Sends; resolves when there is room for more. One write at a time. @throws when the channel broke */
  write(bytes: Bytes): Promise<void>;
  /** No more bytes from this side; resolves when what was written is out. */
  end(): Promise<void>;
  /** Ends both directions at once and frees everything; idempotent. Reads and writes settle. */
  close(): void;
}

/** A channel whose first bytes have been read already. */
export function withHead(channel: ByteChannel, head: Bytes): ByteChannel {
  let first: Bytes | undefined = head.byteLength > 0 ? head : undefined;
  return {
    read: () => {
      if (!first) return channel.read();
      const bytes = first;
      first = undefined;
      return Promise.resolve(bytes);
    },
    write: (bytes) => channel.write(bytes),
    end: () => channel.end(),
    close: () => channel.close(),
  };
}
