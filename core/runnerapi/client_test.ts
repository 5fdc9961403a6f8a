import assert from "node:assert/strict";
import { isAppError, systemClock } from "../base/mod.ts";
import { createRunnerClient, type RunnerClient } from "./client.ts";

async function withServer(
  handler: (request: Request) => Response,
  body: (client: RunnerClient) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/s.sock`;
  const server = Deno.serve({ path: socket, onListen: () => {} }, handler);
  const client = createRunnerClient({ socket, clock: systemClock });
  try {
    await body(client);
  } finally {
    client[Symbol.dispose]();
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("RunnerClient says ServiceUnavailable and where when there is no runner", async () => {
  using client = createRunnerClient({ socket: "/nonexistent/c.sock", clock: systemClock });
  await assert.rejects(
    client.status(),
    (error) =>
      isAppError(error, "ServiceUnavailable") && /nonexistent\/c\.sock/.test(error.message),
  );
});

Deno.test("RunnerClient turns the runner's errors into ours", () =>
  withServer(
    () => Response.json({ error: { code: "Invalid", message: "bad digest" } }, { status: 422 }),
    async (client) => {
      await assert.rejects(
        client.putModule("0".repeat(64), new Uint8Array(1)),
        (error) => isAppError(error, "Invalid") && error.message === "runner: bad digest",
      );
    },
  ));

Deno.test("RunnerClient reads events across chunks and ends with the stream", () =>
  withServer(
    () => {
      const text = '{"type":"ping"}\n\n{"type":"removed","uid":"u1"}\n';
      const parts = [text.slice(0, 7), text.slice(7, 20), text.slice(20)];
      return new Response(
        new ReadableStream({
          start(controller) {
            for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
            controller.close();
          },
        }),
      );
    },
    async (client) => {
      const events = [];
      for await (const event of client.events(new AbortController().signal)) events.push(event);
      assert.deepEqual(events, [{ type: "ping" }, { type: "removed", uid: "u1" }]);
    },
  ));

for (const line of ["no json\n", '{"type":"unknown"}\n', '{"type":"removed"}\n']) {
  Deno.test(`RunnerClient gives up on a stream that says ${JSON.stringify(line)}`, () =>
    withServer(() => new Response(line), async (client) => {
      const read = async (): Promise<void> => {
        for await (const _ of client.events(new AbortController().signal));
      };
      await assert.rejects(read, (error) => isAppError(error, "ServiceUnavailable"));
    }));
}
