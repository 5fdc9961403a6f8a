import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect as connectTcp } from "node:net";
import { request as httpsRequest } from "node:https";
import { connect as connectTls } from "node:tls";
import { AppError, ms, silentLogger, systemClock, VirtualClock } from "../base/mod.ts";
import { issue, makePki, type Pki, until } from "./testing.ts";
import { assertRefusesBareClients, type HttpsServer, serveHttps } from "./server.ts";
import type { ConnectionInfo, Handler } from "./types.ts";

interface Running extends AsyncDisposable {
  readonly server: HttpsServer;
  readonly pki: Pki;
}

async function start(
  handler: Handler,
  more: Partial<Parameters<typeof serveHttps>[0]> = {},
): Promise<Running> {
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
    ...more,
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

interface Answer {
  readonly code: number;
  readonly body: string;
}

function ask(
  { server, pki }: Running,
  options: {
    path?: string;
    method?: string;
    cert?: { certificate: string; key: string };
    ca?: string;
    body?: string;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host: "127.0.0.1",
      port: server.port,
      path: options.path ?? "/",
      method: options.method ?? "GET",
      ca: options.ca ?? pki.ca.certificate,
      agent: false,
      ...(options.cert ? { cert: options.cert.certificate, key: options.cert.key } : {}),
    }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => body += chunk);
      answer.on("end", () => resolve({ code: answer.statusCode ?? 0, body }));
    });
    request.on("error", reject);
    request.end(options.body);
  });
}

const whoami: Handler = (_request, info) =>
  Promise.resolve(
    info.peer ? new Response(JSON.stringify(info.peer)) : new Response("nobody", { status: 401 }),
  );

Deno.test("serveHttps() knows a client only by a certificate of its own CA that is in date", async () => {
  await using running = await start(whoami);
  const { pki } = running;
  assert.equal((await ask(running)).body, "nobody");
  const known = await ask(running, { cert: pki.admin });
  const peer = JSON.parse(known.body);
  assert.equal(peer.commonName, "admin");
  assert.deepEqual(peer.organizations, ["system:masters"]);
  assert.match(peer.fingerprint, /^[0-9a-f]{64}$/);
  const stranger = await makePki();
  assert.equal((await ask(running, { cert: stranger.admin })).body, "nobody");
});

Deno.test("serveHttps() takes no certificate as a proof when its clock says it is over", async () => {
  const late = { ...systemClock, now: () => ms(systemClock.now() + 48 * 3_600_000) };
  await using running = await start(whoami, { clock: late });
  assert.equal((await ask(running, { cert: running.pki.admin })).body, "nobody");
});

Deno.test("serveHttps() says which port is taken", async () => {
  await using running = await start(whoami);
  const { port } = running.server;
  await assert.rejects(
    start(whoami, { port }),
    (error: AppError) =>
      error.code === "AlreadyExists" && error.message.includes(`127.0.0.1:${port}`) &&
      error.message.includes("taken"),
  );
});

Deno.test("assertRefusesBareClients() passes a server that says 401 and fails one that does not", async () => {
  await using good = await start(whoami);
  await assertRefusesBareClients(good.server);
  await using bad = await start(() => Promise.resolve(new Response("welcome")));
  await assert.rejects(assertRefusesBareClients(bad.server), /got 200/);
});

Deno.test("setCertificate() serves new connections with the new certificate", async () => {
  await using running = await start(whoami);
  const next = await makePki();
  await ask(running);
  running.server.setCertificate({ cert: next.server.certificate, key: next.server.key });
  await assert.rejects(ask(running));
  assert.equal((await ask(running, { ca: next.ca.certificate })).body, "nobody");
  // The CA that signs clients stays the same.
  const admin = await ask(running, { ca: next.ca.certificate, cert: running.pki.admin });
  assert.match(admin.body, /admin/);
});

Deno.test("serveHttps() aborts the handler at once when the client goes away", async () => {
  const started = Promise.withResolvers<ConnectionInfo>();
  const ended = Promise.withResolvers<void>();
  await using running = await start((_request, info) => {
    started.resolve(info);
    info.signal.addEventListener("abort", () => ended.resolve());
    return Promise.resolve(
      new Response(
        new ReadableStream({ start: (out) => out.enqueue(new TextEncoder().encode("first")) }),
      ),
    );
  });
  const request = httpsRequest({
    host: "127.0.0.1",
    port: running.server.port,
    ca: running.pki.ca.certificate,
    agent: false,
  });
  const answered = new Promise<void>((resolve) =>
    request.on("response", (answer) => {
      answer.on("error", () => {});
      answer.once("data", () => resolve());
    })
  );
  request.on("error", () => {});
  request.end();
  await answered;
  const info = await started.promise;
  assert.equal(info.signal.aborted, false);
  request.destroy();
  await ended.promise;
});

Deno.test("serveHttps() reads an answer's body no faster than the client takes it", async () => {
  let pulled = 0;
  await using running = await start(() =>
    Promise.resolve(
      new Response(
        new ReadableStream({
          pull(out) {
            pulled++;
            out.enqueue(new Uint8Array(64 * 1024));
          },
        }, { highWaterMark: 0 }),
      ),
    )
  );
  // Node's socket reads ahead under Deno even when paused; this one reads only when asked.
  using socket = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: running.server.port,
    caCerts: [running.pki.ca.certificate],
  });
  await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await socket.read(new Uint8Array(10));
  let before = -1;
  await until("the server stops reading ahead", async () => {
    const now = pulled;
    const same = now === before;
    before = now;
    await new Promise((resolve) => systemClock.timer(ms(300), () => resolve(undefined)));
    return same && pulled === now ? true : undefined;
  });
  assert.ok(pulled < 1000, `${pulled} pieces were read for a client that reads nothing`);
});

Deno.test("serveHttps() keeps nothing of what a long answer has already said", async () => {
  const piece = 64 * 1024;
  const pieces = 6000;
  let pulled = 0;
  let most = 0;
  const source: UnderlyingDefaultSource<Uint8Array> = {
    pull(out) {
      most = Math.max(most, Deno.memoryUsage().external);
      if (pulled++ === pieces) out.close();
      else out.enqueue(new Uint8Array(piece));
    },
  };
  await using running = await start(() =>
    Promise.resolve(new Response(new ReadableStream(source, { highWaterMark: 0 })))
  );
  using client = Deno.createHttpClient({ caCerts: [running.pki.ca.certificate] });
  const answer = await fetch(`https://127.0.0.1:${running.server.port}/`, { client });
  let bytes = 0;
  for await (const chunk of answer.body ?? []) bytes += chunk.byteLength;
  assert.equal(bytes, pieces * piece);
  assert.ok(most < pieces * piece / 2, `${most} bytes were held of ${bytes}`);
});

Deno.test("serveHttps() hands request bodies on as they come", async () => {
  await using running = await start(async (request) =>
    new Response(String((await request.text()).length))
  );
  const answer = await ask(running, { method: "POST", body: "x".repeat(2_000_000) });
  assert.equal(answer.body, "2000000");
});

Deno.test("serveHttps() lives through garbage, cut requests and odd request lines", async () => {
  await using running = await start(whoami);
  const { port } = running.server;
  const tls = (): Promise<ReturnType<typeof connectTls>> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: running.pki.ca.certificate });
      socket.on("error", reject);
      socket.once("secureConnect", () => resolve(socket));
    });
  const gone = (socket: { once(event: "close", listener: () => void): unknown }): Promise<void> =>
    new Promise((resolve) => socket.once("close", () => resolve()));
  for (const bytes of ["garbage\r\n\r\n", "\x16\x03\x01\xff\xff\x00", "\x00".repeat(5000)]) {
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    const closed = gone(socket);
    socket.end(bytes);
    await closed;
  }
  const lines = [
    "garbage\r\n\r\n",
    "GET\r\n\r\n",
    "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET http://evil.test/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET //evil.test/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /%zz HTTP/1.1\r\nHost: \x01\r\nConnection: close\r\n\r\n",
    "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(40_000)}\r\n\r\n`,
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
  ];
  for (const line of lines) {
    const socket = await tls();
    socket.removeAllListeners("error");
    socket.on("error", () => {});
    socket.resume();
    const closed = gone(socket);
    socket.end(line);
    await closed;
  }
  const half = await tls();
  half.removeAllListeners("error");
  half.on("error", () => {});
  half.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this");
  half.destroy();
  assert.equal((await ask(running, { cert: running.pki.admin })).code, 200);
});

Deno.test("serveHttps() takes the long query of an exec, and no head without end", async () => {
  await using running = await start(({ url }) => Promise.resolve(new Response(`${url.length}`)));
  const path = `/exec?command=${"a".repeat(48 * 1024)}`;
  const { code, body } = await ask(running, { path });
  assert.deepEqual([code, Number(body) > path.length], [200, true]);
  assert.equal((await ask(running, { path: `/${"a".repeat(65 * 1024)}` })).code, 431);
});

Deno.test("serveHttps() answers bodies of any size, and of nothing", async () => {
  const big = "x".repeat(3_000_000);
  const bodies: Record<string, () => BodyInit> = {
    "/nothing": () => "",
    "/empty": () => new Blob([new Uint8Array(0), "a", new Uint8Array(0)]).stream(),
    "/chunks": () => ReadableStream.from(["", "a", "", "b", ""].map((one) => Buffer.from(one))),
    "/big": () => big,
  };
  await using running = await start(({ url }) =>
    Promise.resolve(new Response(bodies[new URL(url).pathname]?.()))
  );
  const cert = running.pki.admin;
  const answers = await Promise.all(
    Object.keys(bodies).map((path) => ask(running, { path, cert })),
  );
  assert.deepEqual(answers.map(({ body }) => body), ["", "a", "ab", big]);
});

Deno.test("serveHttps() says apart from the last bytes of an answer that it is over", async () => {
  await using running = await start(() => Promise.resolve(new Response("the last words")));
  const server: Uint8Array[] = [];
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const passing = (async () => {
    using client = await proxy.accept();
    using upstream = await Deno.connect({ port: running.server.port });
    const seen = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        server.push(bytes.slice());
        controller.enqueue(bytes);
      },
    });
    await Promise.allSettled([
      client.readable.pipeTo(upstream.writable),
      upstream.readable.pipeThrough(seen).pipeTo(client.writable),
    ]);
  })();
  const through = { ...running, server: { ...running.server, port: proxy.addr.port } };
  assert.equal((await ask(through, { cert: running.pki.admin })).body, "the last words");
  await passing;
  // "0\r\n\r\n", a byte for its type and 16 of authentication (RFC 8446 5.2).
  assert.ok(recordLengths(await new Blob(server as BlobPart[]).bytes()).includes(5 + 1 + 16));
});

/** Lengths of the TLS records in a stream (RFC 8446 5.1). */
function recordLengths(bytes: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + (lengths.at(-1) ?? 0)) {
    lengths.push(new DataView(bytes.buffer, bytes.byteOffset).getUint16(at + 3));
  }
  return lengths;
}

Deno.test("serveHttps() cuts clients that are slow with TLS or with the head", async () => {
  const timeouts = { handshake: ms(300), head: ms(300) };
  await using running = await start(whoami, { timeouts });
  const { port } = running.server;
  const silent = connectTcp(port, "127.0.0.1");
  silent.on("error", () => {});
  await new Promise<void>((resolve) => {
    silent.once("close", () => resolve());
    silent.resume();
  });
  const slow = connectTls({ host: "127.0.0.1", port, ca: running.pki.ca.certificate });
  slow.on("error", () => {});
  slow.once("secureConnect", () => slow.write("GET / HTTP/1.1\r\nHo"));
  slow.resume();
  await new Promise<void>((resolve) => slow.once("close", () => resolve()));
});

/** A client that writes what it likes, and sees all that comes back. */
async function rawClient({ server, pki }: Running) {
  const seen = { text: "", closed: false };
  const socket = connectTls({ host: "127.0.0.1", port: server.port, ca: pki.ca.certificate });
  socket.on("error", () => {});
  socket.on("close", () => seen.closed = true);
  socket.on("data", (chunk: Uint8Array) => seen.text += new TextDecoder().decode(chunk));
  await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
  return { socket, seen };
}

const REFUSALS: [string, Handler][] = [
  ["leaves alone", () => Promise.resolve(new Response("no", { status: 401 }))],
  ["gives up", async (request) => {
    await request.body?.cancel();
    return new Response("no", { status: 401 });
  }],
  ["fails on", () => Promise.reject(new AppError("Unauthorized", "no"))],
];
for (const [what, handler] of REFUSALS) {
  Deno.test(`serveHttps() keeps no connection for a body that the handler ${what}`, async () => {
    const clock = new VirtualClock();
    await using running = await start(handler, { clock });
    for (
      const body of [
        "content-length: 60000\r\n\r\n{",
        "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
      ]
    ) {
      const { socket, seen } = await rawClient(running);
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${body}`);
      await until("it is answered", () => seen.text.includes(" 401 ") || undefined);
      await until("the rest is waited for", () => clock.size > 0 || undefined);
      await clock.advance(ms(999));
      assert.equal(seen.closed, false);
      await clock.advance(ms(1));
      await until("it is closed", () => seen.closed || undefined);
    }
    assert.equal(clock.size, 0);
  });

  Deno.test(`serveHttps() goes on with a connection whose body comes, which the handler ${what}`, async () => {
    const clock = new VirtualClock();
    await using running = await start(handler, { clock });
    const { socket, seen } = await rawClient(running);
    const answers = (): number => seen.text.split(" 401 ").length - 1;
    for (let count = 1; count <= 3; count++) {
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{`);
      await until("it is answered", () => answers() === count || undefined);
      socket.write(" ".repeat(59_999));
      await until("nothing waits", () => clock.size === 0 || undefined);
      await clock.advance(ms(2000));
    }
    assert.equal(seen.closed, false);
    socket.destroy();
  });
}

Deno.test("serveHttps() keeps a connection for the next request when there is no body", async () => {
  const clock = new VirtualClock();
  await using running = await start(() => Promise.resolve(new Response("yes")), { clock });
  const { socket, seen } = await rawClient(running);
  for (let count = 1; count <= 3; count++) {
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("it is answered", () => seen.text.split("yes").length === count + 1 || undefined);
    await clock.advance(ms(2000));
  }
  assert.equal(seen.closed, false);
  socket.destroy();
});

Deno.test("serveHttps() stops within its grace though a request never ends", async () => {
  const running = await start(() => Promise.resolve(new Response(new ReadableStream())));
  const request = httpsRequest({
    host: "127.0.0.1",
    port: running.server.port,
    ca: running.pki.ca.certificate,
    agent: false,
  });
  const closed = new Promise<void>((resolve) => request.once("close", () => resolve()));
  const answered = new Promise<void>((resolve) =>
    request.on("response", (answer) => {
      answer.on("error", () => {});
      answer.resume();
      resolve();
    })
  );
  request.on("error", () => {});
  request.end();
  await answered;
  await running[Symbol.asyncDispose]();
  await closed;
});

Deno.test("onUpgrade gets the socket and the peer", async () => {
  let seen = "";
  await using running = await start(whoami, {
    onUpgrade(message, socket, _head, info) {
      seen = `${message.url} ${info.peer?.commonName}`;
      socket.end(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw",
      );
    },
  });
  const node = await issue(running.pki.ca, {
    commonName: "system:node:n1",
    organizations: ["system:nodes"],
  }, "client");
  const socket = connectTls({
    host: "127.0.0.1",
    port: running.server.port,
    ca: running.pki.ca.certificate,
    cert: node.certificate,
    key: node.key,
  });
  socket.once(
    "secureConnect",
    () =>
      socket.write(
        "POST /exec HTTP/1.1\r\nHost: x\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
      ),
  );
  let text = "";
  socket.on("data", (chunk) => text += chunk);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  assert.match(text, /101 Switching[\s\S]*raw$/);
  assert.equal(seen, "/exec system:node:n1");
});

Deno.test("serveHttps() closes a connection that is not admitted before TLS, and those over an address's share", async () => {
  const asked: string[] = [];
  let admitted = true;
  await using running = await start(whoami, {
    admits: (remote, local) => {
      asked.push(`${remote} ${local}`);
      return admitted;
    },
    maxPerAddress: 2,
  });
  assert.equal((await ask(running)).code, 401);
  assert.deepEqual(asked, ["127.0.0.1 127.0.0.1"]);
  admitted = false;
  await assert.rejects(ask(running));
  admitted = true;
  /** Whether the server ends a bare connection of itself. */
  const open = async (): Promise<
    { readonly socket: ReturnType<typeof connectTcp>; over: boolean }
  > => {
    const one = { socket: connectTcp(running.server.port, "127.0.0.1"), over: false };
    one.socket.on("error", () => {});
    one.socket.resume();
    one.socket.on("close", () => one.over = true);
    await new Promise<void>((resolve) => one.socket.once("connect", () => resolve()));
    return one;
  };
  const held = [await open(), await open()];
  const third = await open();
  await until("the third is closed", () => third.over || undefined);
  assert.ok(held.every(({ over }) => !over));
  for (const { socket } of held) socket.destroy();
  await until("there is room again", () => ask(running).then(() => true, () => undefined));
});

Deno.test("serveHttps() lets a client with a certificate in while strangers take all of their share", async () => {
  await using running = await start(whoami, {
    strangers: { most: 3, perAddress: 2, life: ms(1500) },
  });
  const { server, pki } = running;
  const node = pki.admin;
  /** A stranger whose request never begins. */
  const open = async (): Promise<{ over: boolean }> => {
    const one = { over: false };
    const socket = connectTls({ host: "127.0.0.1", port: server.port, ca: pki.ca.certificate });
    socket.on("error", () => {});
    socket.on("close", () => one.over = true);
    socket.resume();
    await new Promise<void>((resolve) => {
      socket.once("secureConnect", () => {
        socket.write("POST / HTTP/1.1\r\nhost: x\r\n");
        resolve();
      });
      socket.once("close", () => resolve());
    });
    return one;
  };
  const flood = await Promise.all(Array.from({ length: 8 }, open));
  await until(
    "all but its share are closed",
    () => flood.filter(({ over }) => over).length === 6 || undefined,
  );
  assert.equal((await ask(running, { cert: node })).code, 200);
  await until("those that stay end too", () => flood.every(({ over }) => over) || undefined);
  await until(
    "there is room again",
    () => ask(running).then(({ code }) => code === 401 || undefined, () => undefined),
  );
});
