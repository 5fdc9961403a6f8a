import assert from "node:assert/strict";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { AppError, type Clock, hours, ms, seconds, systemClock } from "../../../core/base/mod.ts";
import { createCsr, createKey, issueCa, issueCertificate, readCsr } from "../../../core/pki/mod.ts";
import { freePort } from "../../../tools/free_port.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { Asker, type PodAddress } from "./asker.ts";
import type { ProbeOutcome } from "./outcome.ts";
import type { ProbeHandler } from "./spec.ts";

const never = new AbortController().signal;

type ExecSync = Runtime["execSync"];

/** A clock whose waits take a twentieth of their time. */
const fastClock: Clock = {
  ...systemClock,
  timer: (delay, fn) => systemClock.timer(ms(delay / 20), fn),
};
const noExec: ExecSync = () => Promise.reject(new Error("no exec"));

async function ask(
  handler: ProbeHandler,
  more: {
    address?: PodAddress;
    timeout?: number;
    signal?: AbortSignal;
    execSync?: ExecSync;
    clock?: Clock;
  } = {},
): Promise<ProbeOutcome> {
  const runtime = { execSync: more.execSync ?? noExec } as Runtime;
  using asker = new Asker({ runtime, clock: more.clock ?? systemClock });
  const question = { handler, timeout: ms(more.timeout ?? 5000) };
  const target = { containerId: "c1", address: more.address ?? { host: "127.0.0.1" } };
  return await asker.ask(question, target, more.signal ?? never);
}

type Http = ProbeHandler & { type: "http" };

function http(port: number, more: Partial<Http> = {}): Http {
  return { type: "http", scheme: "http", host: "", port, path: "/", headers: [], ...more };
}

/** A server that answers as `handler` says; its port. */
function serve(
  handler: Deno.ServeHandler<Deno.NetAddr>,
): { readonly port: number } & AsyncDisposable {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const { port } = server.addr;
  return { port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A server that says `text` to whoever connects, whatever it is asked; nothing when absent. */
function say(text?: string): { readonly port: number } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const run = async (): Promise<void> => {
    for await (const conn of listener) {
      conns.push(conn);
      if (text !== undefined) await conn.write(new TextEncoder().encode(text)).catch(() => {});
    }
  };
  run().catch(() => {});
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => {
      listener.close();
      for (const conn of conns) conn.close();
    },
  };
}

Deno.test("an HTTP probe asks as a kubelet does", async () => {
  const seen: unknown[] = [];
  await using server = serve((request) => {
    const { pathname, search } = new URL(request.url);
    seen.push([
      request.method,
      pathname + search,
      ...[...request.headers].map((one) => one.join()),
    ]);
    return new Response("fine");
  });
  const { port } = server;
  assert.deepEqual(await ask(http(port, { path: "a b?c=d#e" })), {
    result: "success",
    output: "fine",
  });
  const headers = [
    { name: "Host", value: "my.app" },
    { name: "User-Agent", value: "me" },
    { name: "Accept", value: "" },
    { name: "X-A", value: "1" },
    { name: "X-A", value: "2" },
  ];
  await ask(http(port, { headers }));
  assert.deepEqual(seen, [
    [
      "GET",
      "/a%20b?c=d",
      "accept,*/*",
      "connection,close",
      `host,127.0.0.1:${port}`,
      "user-agent,kube-probe/1.34",
    ],
    ["GET", "/", "connection,close", "host,my.app", "user-agent,me", "x-a,1, 2"],
  ]);
});

const STATUSES: [status: number, result: ProbeOutcome["result"], output: string][] = [
  [200, "success", "b"],
  [299, "success", "b"],
  [300, "warning", "Probe terminated redirects, Response body: b"],
  [399, "warning", "Probe terminated redirects, Response body: b"],
  [400, "failure", "HTTP probe failed with statuscode: 400"],
  [500, "failure", "HTTP probe failed with statuscode: 500"],
];
for (const [status, result, output] of STATUSES) {
  Deno.test(`an HTTP probe takes ${status} for ${result}`, async () => {
    await using server = serve(() => new Response("b", { status }));
    assert.deepEqual(await ask(http(server.port)), { result, output });
  });
}

Deno.test("an HTTP probe follows redirects to the same host, at any port and ten at most", async () => {
  await using other = serve(({ headers, url }) =>
    new Response(`${headers.get("host")} ${new URL(url).pathname}`)
  );
  await using server = serve(({ url, headers }) => {
    const { pathname } = new URL(url);
    const location = {
      "/rel": "/end",
      "/abs": `http://127.0.0.1:${other.port}/there`,
      "/away": "http://192.0.2.1/",
      "/loop": "/loop",
    }[pathname];
    return location
      ? new Response("moved", { status: 302, headers: { location } })
      : new Response(headers.get("host"));
  });
  const { port } = server;
  const headers = [{ name: "Host", value: "my.app" }];
  const get = (path: string): Promise<ProbeOutcome> => ask(http(port, { path, headers }));
  assert.deepEqual(await get("/rel"), { result: "success", output: "my.app" });
  assert.deepEqual(await get("/abs"), {
    result: "success",
    output: `127.0.0.1:${other.port} /there`,
  });
  assert.deepEqual(await get("/away"), {
    result: "warning",
    output: "Probe terminated redirects, Response body: moved",
  });
  assert.deepEqual(await get("/loop"), {
    result: "failure",
    output: `Get "http://127.0.0.1:${port}/loop": stopped after 10 redirects`,
  });
});

Deno.test("an HTTP probe does not wait for the end of a long body", async () => {
  let cancelled = false;
  const endless = (): ReadableStream =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => void (cancelled = true),
    });
  {
    await using server = serve(() => new Response(endless()));
    const { result, output } = await ask(http(server.port));
    assert.deepEqual([result, output.length], ["success", 10 * 1024]);
  }
  assert.ok(cancelled);
});

/** A certificate of another name, by a CA that nobody knows, and out of date. */
async function badCertificate(): Promise<{ certificate: string; key: string }> {
  const now = ms(Date.UTC(2020, 0, 1));
  const [caKey, key] = [await createKey(), await createKey()];
  const lifetime = hours(24);
  const ca = await issueCa({ keyPem: caKey, commonName: "nobody", now, lifetime });
  const subject = { commonName: "other.example", organizations: [] };
  const { publicKey } = await readCsr(await createCsr({ subject, keyPem: key }));
  const certificate = await issueCertificate({
    ca: { certificate: ca, key: caKey },
    subject,
    publicKey,
    use: "server",
    altNames: ["other.example"],
    now,
    lifetime,
  });
  return { certificate, key };
}

Deno.test("an HTTP probe trusts whatever certificate a server shows", async () => {
  const { certificate, key } = await badCertificate();
  const server = createSecureServer({ cert: certificate, key }, (_, response) => {
    response.end("safe");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    assert.deepEqual(await ask(http(port, { scheme: "https" })), {
      result: "success",
      output: "safe",
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

const LATE: [
  name: string,
  handler: (port: number) => ProbeHandler,
  words: (port: number) => string,
][] = [
  [
    "HTTP",
    (port) => http(port, { path: "/x" }),
    (port) =>
      `Get "http://127.0.0.1:${port}/x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  ],
  [
    "HTTPS",
    (port) => http(port, { scheme: "https" }),
    (port) =>
      `Get "https://127.0.0.1:${port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  ],
  [
    "gRPC",
    (port) => ({ type: "grpc", port, service: "" }),
    (port) =>
      `timeout: failed to connect service "127.0.0.1:${port}" within 1s: context deadline exceeded`,
  ],
];
for (const [name, handler, words] of LATE) {
  Deno.test(`a ${name} probe of a server that says nothing fails in time and leaves nothing open`, async () => {
    using server = say();
    assert.deepEqual(await ask(handler(server.port), { timeout: 1000, clock: fastClock }), {
      result: "failure",
      output: words(server.port),
    });
  });
  Deno.test(`a ${name} probe ends at once when it is called off`, async () => {
    using server = say();
    const stop = new AbortController();
    const asked = ask(handler(server.port), { timeout: 60_000, signal: stop.signal });
    systemClock.timer(ms(20), () => stop.abort(new Error("called off")));
    await assert.rejects(asked, /called off/);
  });
}

Deno.test("probes of a port where nobody listens fail with a kubelet's words", async () => {
  const port = freePort();
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
  assert.deepEqual(await ask(http(port)), {
    result: "failure",
    output: `Get "http://127.0.0.1:${port}/": ${refused}`,
  });
  assert.deepEqual(await ask({ type: "tcp", host: "", port }), {
    result: "failure",
    output: refused,
  });
  const https = await ask(http(port, { scheme: "https" }));
  assert.deepEqual(https, {
    result: "failure",
    output: `Get "https://127.0.0.1:${port}/": ${refused}`,
  });
  const grpc = await ask({ type: "grpc", port, service: "" });
  assert.equal(grpc.result, "failure");
  assert.match(grpc.output, /^error: failed to connect service at "127\.0\.0\.1:\d+": .*refused/);
});

Deno.test("a probe of an address that stands in for another says so when it fails", async () => {
  const port = freePort();
  const address = { host: "127.0.0.1", aside: "the node is elsewhere" };
  const tcp = { type: "tcp", port } as const;
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
  const words = async (handler: ProbeHandler): Promise<string> =>
    (await ask(handler, { address })).output;
  assert.equal(await words({ ...tcp, host: "" }), `${refused} (the node is elsewhere)`);
  assert.equal(await words({ ...tcp, host: "127.0.0.1" }), refused);
  assert.deepEqual(await ask({ ...tcp, host: "" }, { address: { host: "" } }), {
    result: "error",
    output: "the pod has no address",
  });
});

for (const scheme of ["http", "https", "tcp", "grpc"] as const) {
  Deno.test({
    name:
      `a ${scheme} probe of a host that the agent may not connect to errs and names the options`,
    permissions: { net: ["127.0.0.1"], read: true },
    async fn() {
      // A documentation address: nothing is sent there, as it is refused.
      const address = { host: "192.0.2.1" };
      const handler: ProbeHandler = scheme === "tcp"
        ? { type: scheme, host: "", port: 80 }
        : scheme === "grpc"
        ? { type: scheme, service: "", port: 80 }
        : http(80, { scheme });
      assert.deepEqual(await ask(handler, { address }), {
        result: "error",
        output: "the agent may not connect to 192.0.2.1: it connects to 127.0.0.1, to addresses " +
          "in --pod-cidr and to that of --node-ip",
      });
    },
  });
}

Deno.test("a TCP probe is content with a connection", async () => {
  using server = say();
  assert.deepEqual(await ask({ type: "tcp", host: "", port: server.port }), {
    result: "success",
    output: "",
  });
});

const RUBBISH: [name: string, text: string, words: RegExp][] = [
  ["no HTTP", "220 mail ready\r\n\r\n", /malformed HTTP response "220 mail ready"/],
  ["nothing but an end", "", /EOF|connection reset/],
];
for (const [name, text, words] of RUBBISH) {
  Deno.test(`an HTTP probe fails when it is told ${name}`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const once = listener.accept().then(async (conn) => {
      await conn.write(new TextEncoder().encode(text));
      conn.close();
    });
    const { result, output } = await ask(http(listener.addr.port));
    assert.equal(result, "failure");
    assert.match(output, words);
    await once;
    listener.close();
  });
}

Deno.test("an HTTPS probe of a server without TLS fails", async () => {
  using server = say("HTTP/1.1 400 Bad Request\r\n\r\n");
  const { result, output } = await ask(http(server.port, { scheme: "https" }));
  assert.equal(result, "failure");
  assert.match(output, /^Get "https:/);
});

const frame = (status: number): Uint8Array<ArrayBuffer> =>
  status === 0 ? Uint8Array.of(0, 0, 0, 0, 0) : Uint8Array.of(0, 0, 0, 0, 2, 8, status);
const GRPC = { "content-type": "application/grpc" };
const ANSWERS: [name: string, answer: () => Response, expected: ProbeOutcome][] = [
  ["serving", () => new Response(frame(1), { headers: GRPC }), {
    result: "success",
    output: "service healthy",
  }],
  ["not serving", () => new Response(frame(2), { headers: GRPC }), {
    result: "failure",
    output: 'service unhealthy (responded with "NOT_SERVING")',
  }],
  ["unknown", () => new Response(frame(0), { headers: GRPC }), {
    result: "failure",
    output: 'service unhealthy (responded with "UNKNOWN")',
  }],
  [
    "no health service",
    () =>
      new Response(null, { headers: { ...GRPC, "grpc-status": "12", "grpc-message": "unknown" } }),
    {
      result: "failure",
      output:
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown",
    },
  ],
  [
    "an unknown service",
    () => new Response(null, { headers: { ...GRPC, "grpc-status": "5", "grpc-message": "none" } }),
    {
      result: "failure",
      output: "error: health rpc probe failed: rpc error: code = 5 desc = none",
    },
  ],
  ["no gRPC", () => new Response("hello", { status: 404 }), {
    result: "failure",
    output: "error: health rpc probe failed: unexpected HTTP status 404 and content type " +
      '"text/plain;charset=UTF-8"',
  }],
];
for (const [name, answer, expected] of ANSWERS) {
  Deno.test(`a gRPC probe reads the answer: ${name}`, async () => {
    await using server = serve(answer);
    assert.deepEqual(await ask({ type: "grpc", port: server.port, service: "" }), expected);
  });
}

Deno.test("a gRPC probe asks for its service and keeps no connection", async () => {
  const seen: string[] = [];
  const connections = new Set<number>();
  await using server = serve(async (request, { remoteAddr }) => {
    const { method, url } = request;
    seen.push(`${method} ${new URL(url).pathname} ${await request.bytes()}`);
    connections.add(remoteAddr.port);
    return new Response(frame(1), { headers: GRPC });
  });
  using asker = new Asker({ runtime: { execSync: noExec } as Runtime, clock: systemClock });
  const handler: ProbeHandler = { type: "grpc", port: server.port, service: "db" };
  const target = { containerId: "c1", address: { host: "127.0.0.1" } };
  for (let count = 1; count <= 3; count++) {
    const outcome = await asker.ask({ handler, timeout: seconds(5) }, target, never);
    assert.equal(outcome.result, "success");
    assert.equal(connections.size, count);
  }
  assert.deepEqual(
    new Set(seen),
    new Set(["POST /grpc.health.v1.Health/Check 0,0,0,0,4,10,2,100,98"]),
  );
});

const EXECS: [name: string, execSync: ExecSync, expected: ProbeOutcome][] = [
  ["0 is well", () => done(0, "a", "b"), { result: "success", output: "ab" }],
  ["others are not", () => done(2, "", "bad\n"), { result: "failure", output: "bad\n" }],
  ["its output is cut", () => done(1, "x".repeat(20_000), ""), {
    result: "failure",
    output: "x".repeat(10 * 1024),
  }],
  ["too late is a failure", () => Promise.reject(new AppError("Timeout", "late")), {
    result: "failure",
    output: 'command timed out: "sh -c true" timed out after 1m30s',
  }],
  ["no such program counts neither way", () => Promise.reject(new AppError("Invalid", "no sh")), {
    result: "error",
    output: "no sh",
  }],
  ["a runtime that is away", () => Promise.reject(new AppError("ServiceUnavailable", "gone")), {
    result: "away",
    output: "gone",
  }],
];
function done(exitCode: number, stdout: string, stderr: string): ReturnType<ExecSync> {
  const encoder = new TextEncoder();
  return Promise.resolve({
    exitCode,
    stdout: encoder.encode(stdout),
    stderr: encoder.encode(stderr),
  });
}
for (const [name, execSync, expected] of EXECS) {
  Deno.test(`an exec probe: ${name}`, async () => {
    const handler = { type: "exec", command: ["sh", "-c", "true"] } as const;
    assert.deepEqual(await ask(handler, { execSync, timeout: seconds(90) }), expected);
  });
}
