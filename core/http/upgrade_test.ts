import assert from "node:assert/strict";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { AppError, silentLogger, systemClock } from "../base/mod.ts";
import type { ByteChannel } from "../wire/mod.ts";
import { errorResponse } from "./status.ts";
import { type HttpsServer, serveHttps } from "./server.ts";
import { makePki, type Pki, until } from "./testing.ts";
import type { Handler } from "./types.ts";

interface Place extends AsyncDisposable {
  readonly server: HttpsServer;
  readonly pki: Pki;
}

async function start(handler: Handler): Promise<Place> {
  const pki = await makePki();
  const stop = new AbortController();
  const server = await serveHttps({
    hostname: "127.0.0.1",
    port: 0,
    cert: pki.server.certificate,
    key: pki.server.key,
    clientCa: pki.ca.certificate,
    handler,
    clock: systemClock,
    log: silentLogger,
    signal: stop.signal,
  });
  return {
    server,
    pki,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("over"));
      await server.finished;
    },
  };
}

/** A client that has sent `text`; what it gets is kept in `seen`. */
async function send(
  place: Place,
  text: string,
): Promise<{ socket: TLSSocket; seen: () => string }> {
  const socket = connectTls({
    host: "127.0.0.1",
    port: place.server.port,
    ca: place.pki.ca.certificate,
    cert: place.pki.admin.certificate,
    key: place.pki.admin.key,
  });
  let seen = "";
  socket.on("data", (chunk: Uint8Array) => seen += new TextDecoder().decode(chunk));
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
  socket.write(text);
  return { socket, seen: () => seen };
}

const ask = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n`;

const closed = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));

Deno.test("an upgrade goes to the handler, which knows the client and may take the connection over", async () => {
  let ended = Promise.resolve();
  await using place = await start(async (request, { upgrade, peer }) => {
    const url = new URL(request.url);
    assert.equal(request.headers.get("upgrade"), "SPDY/3.1");
    const channel = upgrade?.accept({ upgrade: "SPDY/3.1", "x-who": peer?.commonName ?? "" });
    ended = (async () => {
      for (let bytes = await channel?.read(); bytes; bytes = await channel?.read()) {
        await channel?.write(bytes);
        if (bytes.at(-1) === 10) break;
      }
      await channel?.end();
    })();
    await ended;
    return new Response(`not sent ${url.pathname}`);
  });
  // What follows the head at once is not lost.
  const client = await send(place, `${ask("/exec")}early `);
  await until("the echo", () => client.seen().includes("early ") || undefined);
  client.socket.write("late\n");
  await closed(client.socket);
  await ended;
  const [head, body] = client.seen().split("\r\n\r\n");
  assert.match(head ?? "", /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(head ?? "", /\r\nx-who: admin/);
  assert.equal(body, "early late\n");
});

Deno.test("an upgrade that the handler does not take over gets its answer, and the connection ends", async () => {
  await using place = await start(() =>
    Promise.resolve(errorResponse(new AppError("Forbidden", "you may not exec")))
  );
  const client = await send(place, ask("/exec"));
  await closed(client.socket);
  assert.match(client.seen(), /^HTTP\/1\.1 403 [\s\S]*connection: close[\s\S]*you may not exec/);
});

/** A handler that hands its channel out, and answers when it is let go. */
function held(): { handler: Handler; channel: Promise<ByteChannel>; signal: Promise<AbortSignal> } {
  const channel = Promise.withResolvers<ByteChannel>();
  const signal = Promise.withResolvers<AbortSignal>();
  return {
    channel: channel.promise,
    signal: signal.promise,
    handler: async (_request, info) => {
      if (info.upgrade) channel.resolve(info.upgrade.accept({ upgrade: "SPDY/3.1" }));
      signal.resolve(info.signal);
      await new Promise<void>((resolve) => info.signal.addEventListener("abort", () => resolve()));
      return new Response();
    },
  };
}

Deno.test("a client sends no faster than it is read, and is answered meanwhile", async () => {
  const { handler, channel } = held();
  await using place = await start(handler);
  const client = await send(place, ask("/exec"));
  const server = await channel;
  const total = 64 * 1024 * 1024;
  const block = new Uint8Array(256 * 1024).map((_, at) => at % 251);
  let sent = 0;
  let waiting = false;
  const pump = (async () => {
    while (sent < total) {
      sent += block.byteLength;
      if (client.socket.write(block)) continue;
      waiting = true;
      await new Promise<void>((resolve) => client.socket.once("drain", () => resolve()));
      waiting = false;
    }
  })();
  let last = -1;
  await until("the client is held up", () => {
    const same = waiting && sent === last;
    last = sent;
    return same || undefined;
  });
  assert.ok(sent < total / 2, `${sent} bytes were taken though nobody read`);
  await server.write(new TextEncoder().encode("answer"));
  await until("the answer", () => client.seen().endsWith("answer") || undefined);
  let read = 0;
  let wrong = 0;
  while (read < total) {
    const bytes = await server.read();
    assert.ok(bytes);
    for (const byte of bytes) if (byte !== read++ % block.byteLength % 251) wrong++;
  }
  await pump;
  assert.deepEqual([read, wrong], [total, 0]);
  client.socket.destroy();
  assert.equal(await server.read().catch(() => undefined), undefined);
});

Deno.test("a client that goes away aborts the handler and settles what waits", async () => {
  const { handler, channel, signal } = held();
  await using place = await start(handler);
  const client = await send(place, ask("/exec"));
  const server = await channel;
  const reading = server.read();
  client.socket.destroy();
  assert.equal(await reading.catch(() => undefined), undefined);
  await until("the abort", async () => (await signal).aborted || undefined);
  await assert.rejects(server.write(new Uint8Array(1)), { code: "ServiceUnavailable" });
});

Deno.test("a server that stops ends what was taken over", async () => {
  const { handler, channel } = held();
  const place = await start(handler);
  const client = await send(place, ask("/exec"));
  await channel;
  const gone = closed(client.socket);
  await place[Symbol.asyncDispose]();
  await gone;
});
