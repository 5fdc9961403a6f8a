import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import {
  type Clock,
  type ErrorCode,
  isAppError,
  ms,
  seconds,
  sleep,
  systemClock,
  VirtualClock,
} from "../../../../core/base/mod.ts";
import {
  ContainerEventResponseSchema,
  RuntimeService,
  VersionResponseSchema,
} from "../gen/runtime_pb.ts";
import { GrpcChannel } from "./channel.ts";
import { encodeFrame } from "./frame.ts";

const { version, getContainerEvents } = RuntimeService.method;
const never = new AbortController().signal;
const GRPC = { "content-type": "application/grpc" };

type Handler = (request: Request) => Response | Promise<Response>;

/** A peer on a unix socket that answers as `handler` says, and a channel to it. */
async function withPeer(
  handler: Handler,
  use: (channel: GrpcChannel, path: string) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/peer.sock`;
  const server = Deno.serve({ path, onListen: () => {} }, handler);
  try {
    using channel = new GrpcChannel({ socketPath: path, clock });
    await use(channel, path);
  } finally {
    await server.shutdown();
    await Deno.remove(dir, { recursive: true });
  }
}

const versionFrame = encodeFrame(
  toBinary(VersionResponseSchema, create(VersionResponseSchema, { runtimeName: "peer" })),
);

Deno.test("unary() sends a frame to the method's path and reads the answer", async () => {
  let seen = "";
  await withPeer(async (request) => {
    const body = new Uint8Array(await request.arrayBuffer());
    const { pathname } = new URL(request.url);
    seen = `${pathname} ${request.headers.get("grpc-timeout")} ${[...body]}`;
    return new Response(versionFrame, { headers: GRPC });
  }, async (channel) => {
    const answer = await channel.unary(version, { version: "v1" }, {
      signal: never,
      timeout: seconds(2),
    });
    assert.equal(answer.runtimeName, "peer");
  });
  assert.equal(seen, "/runtime.v1.RuntimeService/Version 2000m 0,0,0,0,4,10,2,118,49");
});

const BAD: [title: string, response: () => Response, code: ErrorCode][] = [
  [
    "a status in the headers",
    () =>
      new Response(null, { headers: { ...GRPC, "grpc-status": "5", "grpc-message": "no%20pod" } }),
    "NotFound",
  ],
  [
    "a length above the cap",
    () => new Response(Uint8Array.of(0, 0x7f, 0, 0, 0), { headers: GRPC }),
    "RequestEntityTooLarge",
  ],
  [
    "a compressed message",
    () => new Response(Uint8Array.of(1, 0, 0, 0, 0), { headers: GRPC }),
    "Unsupported",
  ],
  [
    "a truncated message",
    () => new Response(versionFrame.slice(0, 7), { headers: GRPC }),
    "ServiceUnavailable",
  ],
  ["no message", () => new Response(null, { headers: GRPC }), "ServiceUnavailable"],
  [
    "rubbish in the frame",
    () => new Response(encodeFrame(new Uint8Array(9).fill(0xff)), { headers: GRPC }),
    "ServiceUnavailable",
  ],
  [
    "a web page",
    () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    "ServiceUnavailable",
  ],
  ["an HTTP error", () => new Response(null, { status: 503, headers: GRPC }), "ServiceUnavailable"],
];
for (const [title, response, code] of BAD) {
  Deno.test(`unary() fails with ${code} when the peer answers ${title}`, async () => {
    await withPeer(response, async (channel) => {
      await assert.rejects(
        channel.unary(version, {}, { signal: never }),
        (error) => isAppError(error, code) && error.message.length > 20,
      );
    });
  });
}

Deno.test("unary() fails with ServiceUnavailable when the socket is absent, and names it", async () => {
  using channel = new GrpcChannel({ socketPath: "/nonexistent/cri.sock", clock: systemClock });
  await assert.rejects(
    channel.unary(version, {}, { signal: never }),
    (error) => isAppError(error, "ServiceUnavailable") && error.message.includes("/nonexistent/"),
  );
});

Deno.test("unary() fails with Timeout when the deadline passes on the clock", async () => {
  const clock = new VirtualClock();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  await withPeer((_request) => {
    asked.resolve();
    return answer.promise;
  }, async (channel) => {
    const call = channel.unary(version, {}, { signal: never, timeout: seconds(10) });
    const outcome = call.then(() => undefined, (error: unknown) => error);
    await asked.promise;
    await clock.advance(seconds(10));
    assert.ok(isAppError(await outcome, "Timeout"));
    answer.resolve(new Response(null, { headers: GRPC }));
  }, clock);
});

Deno.test("unary() rejects with its signal's reason when that aborts", async () => {
  const stop = new AbortController();
  const answer = Promise.withResolvers<Response>();
  const reason = new Error("enough");
  await withPeer(() => {
    stop.abort(reason);
    return answer.promise;
  }, async (channel) => {
    await assert.rejects(
      channel.unary(version, {}, { signal: stop.signal }),
      (error) => error === reason,
    );
    answer.resolve(new Response(null, { headers: GRPC }));
  });
});

const eventFrame = (containerId: string): Uint8Array<ArrayBuffer> =>
  encodeFrame(
    toBinary(ContainerEventResponseSchema, create(ContainerEventResponseSchema, { containerId })),
  );

Deno.test("stream() yields messages as they come and ends when its signal aborts", async () => {
  let peer: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (peer = controller) });
  await withPeer(() => new Response(body, { headers: GRPC }), async (channel) => {
    const stop = new AbortController();
    const stream = channel.stream(getContainerEvents, {}, { signal: stop.signal });
    const first = stream.next();
    while (!peer) await sleep(systemClock, ms(1));
    peer.enqueue(eventFrame("one"));
    assert.equal((await first).value?.containerId, "one");
    const second = stream.next();
    const reason = new Error("enough");
    stop.abort(reason);
    await assert.rejects(second, (error) => error === reason);
  });
});

Deno.test("a channel finds a peer that has come back on the same path", async () => {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/peer.sock`;
  const serve = (): Deno.HttpServer =>
    Deno.serve({ path, onListen: () => {} }, () => new Response(versionFrame, { headers: GRPC }));
  {
    using channel = new GrpcChannel({ socketPath: path, clock: systemClock });
    const call = (): Promise<unknown> => channel.unary(version, {}, { signal: never });
    for (let round = 0; round < 3; round++) {
      const server = serve();
      await call();
      await server.shutdown();
      await Deno.remove(path).catch(() => {});
      await assert.rejects(call(), (error) => isAppError(error, "ServiceUnavailable"));
    }
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a closed channel refuses calls", async () => {
  const channel = new GrpcChannel({ socketPath: "/nonexistent/cri.sock", clock: systemClock });
  channel[Symbol.dispose]();
  channel[Symbol.dispose]();
  await assert.rejects(
    channel.unary(version, {}, { signal: never }),
    (error) => isAppError(error, "ServiceUnavailable"),
  );
});
