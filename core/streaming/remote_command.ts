import { type ByteChannel, type Bytes, joinBytes } from "../wire/mod.ts";
import { type Ends, type EndsRim, runEnds } from "./channel.ts";
import {
  spdyData,
  SpdyDecoder,
  SpdyEncoder,
  type SpdyEvent,
  spdyPing,
  spdyRefuse,
} from "./spdy.ts";
import type { RemoteCommand } from "./target.ts";
import { type Piece, WebSocketSide } from "./websocket.ts";

/** Channels of `v5.channel.k8s.io`: the first byte of each message (KEP-4006). */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** The runtime's streams (remotecommand v4) in the order in which kubectl opens them. */
const STREAM = { error: 1, stdin: 3, stdout: 5, stderr: 7, resize: 9 } as const;

/** The channel that a stream of the runtime goes to. */
const CHANNEL_OF: ReadonlyMap<number, number> = new Map([
  [STREAM.error, CHANNEL.error],
  [STREAM.stdout, CHANNEL.stdout],
  [STREAM.stderr, CHANNEL.stderr],
]);

/** The stream of the runtime that a channel of the client goes to. */
const STREAM_OF: ReadonlyMap<number, number> = new Map([
  [CHANNEL.stdin, STREAM.stdin],
  [CHANNEL.resize, STREAM.resize],
]);

/**
 * Exec and attach for clients that speak WebSocket `v5.channel.k8s.io`, over a SPDY connection to
 * the runtime that has been upgraded to `v4.channel.k8s.io`.
 */
export async function translateRemoteCommand(
  ends: Ends,
  wants: RemoteCommand,
  rim: EndsRim,
): Promise<void> {
  using socket = new WebSocketSide(ends.client, rim.clock);
  const session = new Session(socket, wants);
  await runEnds(ends, {
    up: (_client, server) => session.up(server),
    down: (server) => session.down(server),
  }, rim);
}

class Session {
  readonly #socket: WebSocketSide;
  readonly #wants: RemoteCommand;
  readonly #decoder = new SpdyDecoder();
  /** Our streams that the runtime has not taken yet: it drops what comes before. */
  readonly #untaken: Set<number>;
  readonly #taken = Promise.withResolvers<void>();
  /** Streams on which the runtime will still send. */
  readonly #sending: Set<number>;
  /** Our streams on which we have not said that it was all. */
  readonly #writable: Set<number>;
  #toRuntime: Promise<void> = Promise.resolve();
  #status = false;

  constructor(socket: WebSocketSide, wants: RemoteCommand) {
    this.#socket = socket;
    this.#wants = wants;
    const streams = this.#streams();
    this.#untaken = new Set(streams);
    this.#sending = new Set(streams.filter((id) => CHANNEL_OF.has(id)));
    this.#writable = new Set(streams.filter((id) => !CHANNEL_OF.has(id)));
  }

  #streams(): number[] {
    const { stdin, stdout, stderr, tty } = this.#wants;
    return [
      STREAM.error,
      ...(stdin ? [STREAM.stdin] : []),
      ...(stdout ? [STREAM.stdout] : []),
      ...(stderr ? [STREAM.stderr] : []),
      ...(tty ? [STREAM.resize] : []),
    ];
  }

  /** What the client says, until it is over. */
  async up(server: ByteChannel): Promise<void> {
    let channel: number = CHANNEL.close;
    for (let piece = await this.#socket.receive(); piece; piece = await this.#socket.receive()) {
      if (piece.start) channel = piece.bytes[0] ?? CHANNEL.close;
      await this.#onClient(server, channel, piece);
    }
  }

  async #onClient(server: ByteChannel, channel: number, { start, bytes }: Piece): Promise<void> {
    const payload = bytes.subarray(start ? 1 : 0);
    const fin = channel === CHANNEL.close;
    const stream = STREAM_OF.get(fin ? payload[0] ?? CHANNEL.close : channel);
    // What was not asked for, or has been ended, is not for anybody.
    if (stream === undefined || !this.#writable.has(stream) || payload.byteLength === 0) return;
    await this.#taken.promise;
    if (fin) this.#writable.delete(stream);
    await this.#write(server, spdyData(stream, fin ? new Uint8Array(0) : payload, { fin }));
  }

  /** What the runtime says, until it is over. */
  async down(server: ByteChannel): Promise<void> {
    try {
      await this.#open(server);
      while (this.#sending.size > 0) {
        const bytes = await server.read();
        if (!bytes) break;
        for (const event of this.#decoder.push(bytes)) await this.#onRuntime(server, event);
      }
    } finally {
      this.#taken.resolve();
    }
    if (!this.#status) await this.#socket.send(new Uint8Array([CHANNEL.error]), CUT_SHORT);
    await this.#socket.close();
  }

  async #open(server: ByteChannel): Promise<void> {
    const encoder = new SpdyEncoder();
    const frames = this.#streams().map((id) => encoder.synStream(id, { streamtype: nameOf(id) }));
    await this.#write(server, joinBytes(frames));
    // No empty message to begin with, though Kubernetes' servers send one: nothing needs it, and a
    // kubectl before 1.36 complains of it when it comes before its streams are made.
  }

  async #onRuntime(server: ByteChannel, event: SpdyEvent): Promise<void> {
    switch (event.kind) {
      case "data": {
        const channel = CHANNEL_OF.get(event.stream);
        if (channel === undefined) return;
        if (channel === CHANNEL.error) this.#status = true;
        return await this.#socket.send(new Uint8Array([channel]), event.bytes);
      }
      case "reply":
        this.#untaken.delete(event.stream);
        if (this.#untaken.size === 0) this.#taken.resolve();
        return;
      case "end":
        this.#sending.delete(event.stream);
        return;
      case "goaway":
        return this.#sending.clear();
      case "ping":
        // Even ids are the server's own; odd ones would answer ours, and we send none.
        if (event.id % 2 === 0) await this.#write(server, spdyPing(event.id));
        return;
      case "open":
        await this.#write(server, spdyRefuse(event.stream));
    }
  }

  /** Both directions write to the runtime. */
  #write(server: ByteChannel, frame: Bytes): Promise<void> {
    const write = this.#toRuntime.then(() => server.write(frame));
    this.#toRuntime = write.catch(() => {/* told to who wrote it */});
    return write;
  }
}

function nameOf(stream: number): string {
  const found = Object.entries(STREAM).find(([, id]) => id === stream);
  if (!found) throw new TypeError(`Cannot name the stream ${stream}`);
  return found[0];
}

/** What a client is told when the runtime hangs up without a word on how the command ended. */
const CUT_SHORT = new TextEncoder().encode(JSON.stringify({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "the stream to the container broke before the command's end was known",
  reason: "InternalError",
  code: 500,
}));
