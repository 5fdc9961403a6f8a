import assert from "node:assert/strict";
import { seconds, VirtualClock } from "../../core/base/mod.ts";
import { OwnWord } from "./own_word.ts";

function setup() {
  const clock = new VirtualClock();
  const asked: number[] = [];
  const word = new OwnWord(clock, () => void asked.push(clock.monotonic() / 1000));
  return { clock, asked, word };
}

Deno.test("OwnWord takes the echo of a write for the node's own, before its answer too", async () => {
  const { clock, asked, word } = setup();
  word.wrote("pods/a/p", "7");
  word.changed("pods/a/p", "7");
  assert.equal(clock.size, 0);
  word.changed("pods/a/p", "9");
  word.wrote("pods/a/p", "9");
  await clock.advance(seconds(2));
  assert.deepEqual(asked, []);
});

Deno.test("OwnWord asks once for all that others wrote, and for nothing that was overwritten since", async () => {
  const { clock, asked, word } = setup();
  word.wrote("pods/a/p", "7");
  word.changed("pods/a/p", "8");
  word.changed("pods/a/q", "10");
  word.changed("pods/a/mirror", undefined);
  await clock.advance(seconds(2));
  assert.deepEqual(asked, [1]);
  word.changed("pods/a/p", "99");
  word.wrote("pods/a/p", "100");
  await clock.advance(seconds(60));
  assert.deepEqual(asked, [1]);
});

Deno.test("OwnWord asks ever more seldom while somebody writes again and again, and then as at first", async () => {
  const { clock, asked, word } = setup();
  for (let second = 0, version = 1; second < 300; second++) {
    word.changed("pods/a/p", `${version++}`);
    await clock.advance(seconds(1));
  }
  assert.deepEqual(asked, [1, 3, 7, 15, 31, 63, 127, 191, 255]);
  await clock.advance(seconds(1000));
  const before = asked.length;
  for (const _ of [1, 2]) {
    word.changed("pods/a/p", "900");
    await clock.advance(seconds(100));
  }
  assert.deepEqual(asked.slice(before).map((at) => at - 1300), [1, 101]);
});

Deno.test("OwnWord remembers no more objects than a node can have, and asks nothing once disposed of", async () => {
  const { clock, asked, word } = setup();
  for (let n = 0; n <= 500; n++) word.wrote(`pods/a/${n}`, "5");
  word.changed("pods/a/500", "5");
  assert.equal(clock.size, 0);
  word.changed("pods/a/0", "5");
  assert.equal(clock.size, 1);
  word[Symbol.dispose]();
  await clock.advance(seconds(10));
  assert.deepEqual(asked, []);
});
