import { type Clock, type Ms, seconds } from "../base/mod.ts";
import type { Stream } from "../link/mod.ts";
import type { ByteChannel } from "../wire/mod.ts";

/** A stream of the link as a channel. */
export function channelOf(stream: Pick<Stream, "readable" | "writable" | "close">): ByteChannel {
  const reader = stream.readable.getReader();
  const writer = stream.writable.getWriter();
  // A stream that breaks while nobody reads or writes is told by the next read or write.
  reader.closed.catch(() => {});
  writer.closed.catch(() => {});
  return {
    read: async () => (await reader.read()).value,
    write: (bytes) => writer.write(bytes),
    end: () => writer.close(),
    close: () => stream.close("the other side has left"),
  };
}

/** The two ends of a stream: who asked for it, and who serves it. */
export interface Ends {
  readonly client: ByteChannel;
  readonly server: ByteChannel;
}

/** What else a running stream needs. */
export interface EndsRim {
  readonly clock: Clock;
  /** Ends the stream at once. */
  readonly signal: AbortSignal;
  /**
   * The client hangs up by itself when it has had everything, and gets time for that: a SPDY client
   * of Go forgets up to 50 frames that it has read and not looked at when its connection ends.
   */
  readonly hangsUp?: boolean;
}

/**
 * How long a client may take to read what has been sent to it, and to hang up. It may sit behind a
 * slow line, or write to a slow disk.
 */
const HANG_UP = seconds(30);
/** How long it may take to notice our end when it had {@linkcode HANG_UP} before that. */
const LAST_WORD = seconds(5);

/** Carries bytes both ways, as they are, until either end is over; see {@linkcode runEnds}. */
export function joinChannels(ends: Ends, rim: EndsRim): Promise<void> {
  return runEnds(ends, {
    up: (client, server) => carry(client, server),
    down: (server, client) => carry(server, client),
  }, rim);
}

/**
 * Runs both directions of a stream, then closes both ends; never throws. What the server sent before
 * its end still goes to the client, though the client goes on sending. When the client is over, all
 * is, at once: it has left, and what it began must not go on.
 *
 * @param directions each returns when the channel that it reads is over
 */
export async function runEnds(
  { client, server }: Ends,
  directions: {
    up(client: ByteChannel, server: ByteChannel): Promise<void>;
    down(server: ByteChannel, client: ByteChannel): Promise<void>;
  },
  { clock, signal, hangsUp = false }: EndsRim,
): Promise<void> {
  const close = (): void => {
    client.close();
    server.close();
  };
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  const up = directions.up(client, deaf(server)).catch(() => {}).finally(close);
  try {
    await directions.down(server, client);
    server.close();
    if (hangsUp) await within(clock, HANG_UP, up);
    await client.end();
    // What comes after we have closed, e.g. a client's ping, or is unread by then, makes TCP take back
    // what the client has not read yet.
    using _patience = clock.timer(hangsUp ? LAST_WORD : HANG_UP, close);
    await up;
  } catch {
    // Broken: the client must see that it has not had everything.
  } finally {
    close();
    await up;
    signal.removeEventListener("abort", close);
  }
}

/** Waits for `promise`, but not longer than `span`. */
async function within(clock: Clock, span: Ms, promise: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  using _timer = clock.timer(span, late.resolve);
  await Promise.race([promise, late.promise]);
}

async function carry(from: ByteChannel, to: ByteChannel): Promise<void> {
  for (let bytes = await from.read(); bytes; bytes = await from.read()) await to.write(bytes);
}

/** A server that no longer reads has not ended yet: what it says before its end is told by reads. */
function deaf(server: ByteChannel): ByteChannel {
  let broken = false;
  const unlessBroken = async (step: () => Promise<void>): Promise<void> => {
    if (!broken) await step().catch(() => void (broken = true));
  };
  return {
    read: () => server.read(),
    write: (bytes) => unlessBroken(() => server.write(bytes)),
    end: () => unlessBroken(() => server.end()),
    close: () => server.close(),
  };
}
