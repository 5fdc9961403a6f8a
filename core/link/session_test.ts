import assert from "node:assert/strict";
import { silentLogger, systemClock } from "../base/mod.ts";
import { type Closed, type Connection, type Frame } from "./link.ts";
import { Session } from "./session.ts";

/** A connection that keeps what is sent. */
function recorder(heldAbove?: number): { connection: Connection; types: () => string[] } {
  const sent: Frame[] = [];
  const closed = Promise.withResolvers<Closed>();
  const over = Promise.withResolvers<undefined>();
  return {
    types: () => sent.map((frame) => (JSON.parse(String(frame)) as { t: string }).t),
    connection: {
      peer: { name: "hub", fingerprint: "", remote: "" },
      ...(heldAbove === undefined ? {} : { heldAbove }),
      send: (frame) => Promise.resolve(void sent.push(frame)),
      receive: () => over.promise,
      close(code, reason) {
        closed.resolve({ code, reason });
        over.resolve(undefined);
      },
      closed: closed.promise,
    },
  };
}

async function typesOf(size: number, heldAbove?: number): Promise<string[]> {
  const { connection, types } = recorder(heldAbove);
  const session = new Session({ connection, clock: systemClock, log: silentLogger });
  await session.send({ t: "intent", body: "x".repeat(size) });
  session.close(1000, "done");
  await session.closed;
  return types();
}

Deno.test("Session.send() asks for an answer before a frame that the connection would hold", async () => {
  assert.deepEqual(await typesOf(2000, 1000), ["ping", "intent"]);
  assert.deepEqual(await typesOf(500, 1000), ["intent"]);
  assert.deepEqual(await typesOf(2000), ["intent"]);
});
