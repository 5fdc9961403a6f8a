import assert from "node:assert/strict";
import { isAppError, VirtualClock } from "../../core/base/mod.ts";
import { CLOSE, type Connection, LINK } from "../../core/link/mod.ts";
import { Streams } from "./streams.ts";

/** Streams of node `n1`, whose ids count from 0, and a connection that it dials. */
function place() {
  const clock = new VirtualClock();
  let count = 0;
  const streams = new Streams({ clock, newId: () => `${count++}` });
  const closed: number[] = [];
  const connection = {
    peer: { name: "n1", fingerprint: "f", remote: "" },
    close: (code: number) => void closed.push(code),
    receive: () => Promise.withResolvers<string>().promise,
  } as Partial<Connection> as Connection;
  return { clock, streams, connection, closed };
}

const asked = () => Promise.resolve();

Deno.test("Streams gives a stream up in its time, before and after the node has dialled", async () => {
  for (const dials of [false, true]) {
    const { clock, streams, connection, closed } = place();
    const opening = streams.open("n1", asked, new AbortController().signal);
    const over = assert.rejects(opening, (error) => isAppError(error, "Timeout"));
    if (dials) assert.equal(streams.take(connection, "0"), true);
    await clock.advance(LINK.openTimeout);
    await over;
    assert.deepEqual(closed, dials ? [CLOSE.bye] : []);
    assert.equal(streams.take(connection, "0"), false);
    assert.equal(streams.size, 0);
    assert.equal(clock.size, 0);
  }
});

Deno.test("Streams closes a connection that comes in the moment in which it is given up", async () => {
  const { streams, connection, closed } = place();
  const stop = new AbortController();
  const opening = streams.open("n1", asked, stop.signal);
  stop.abort(new Error("enough"));
  assert.equal(streams.take(connection, "0"), true);
  await assert.rejects(opening, /enough/);
  assert.deepEqual(closed, [CLOSE.bye]);
});

Deno.test("Streams tells why a node cannot be asked", async () => {
  const { streams } = place();
  const ask = () => Promise.reject(new Error("the link is gone"));
  await assert.rejects(streams.open("n1", ask, new AbortController().signal), /link is gone/);
});
