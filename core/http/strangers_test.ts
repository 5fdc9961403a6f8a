import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { seconds, VirtualClock } from "../base/mod.ts";
import { Strangers } from "./strangers.ts";

class FakeSocket extends EventEmitter {
  open = true;
  destroy(): this {
    if (this.open) {
      this.open = false;
      this.emit("close");
    }
    return this;
  }
}

Deno.test("Strangers have a share in all and one for each address, and a short life", async () => {
  const clock = new VirtualClock();
  const strangers = new Strangers({ most: 3, perAddress: 2, life: seconds(30) }, clock);
  const arrive = (remote: string): FakeSocket => {
    const socket = new FakeSocket();
    // deno-lint-ignore no-explicit-any -- of a socket's many overloads this is the one that is used
    strangers.arrive(socket as any, remote);
    return socket;
  };
  const open = (sockets: readonly FakeSocket[]) => sockets.map((one) => one.open);
  const first = [arrive("a"), arrive("a"), arrive("a"), arrive("b"), arrive("b")];
  assert.deepEqual(open(first), [true, true, false, true, false]);
  first[0]?.destroy();
  await clock.advance(seconds(20));
  const second = [arrive("a"), arrive("c")];
  assert.deepEqual(open(second), [true, false]);
  await clock.advance(seconds(10));
  assert.deepEqual(open([...first, ...second]), [false, false, false, false, false, true, false]);
  await clock.advance(seconds(20));
  assert.deepEqual(open(second), [false, false]);
  assert.equal(clock.size, 0);
  assert.deepEqual(open([arrive("a"), arrive("a"), arrive("c"), arrive("d")]), [
    ...[true, true, true],
    false,
  ]);
});
