import assert from "node:assert/strict";
import { encodeMessage, LINK, parseMessage, PartJoiner, utf8Length } from "./mod.ts";

Deno.test("utf8Length() counts bytes as the encoder does", () => {
  for (const text of ["", "abc", "\u00e9", "\u20ac", "\u{1F30A}", "a\u{1F30A}\u20ac"]) {
    assert.equal(utf8Length(text), new TextEncoder().encode(text).byteLength, text);
  }
});

Deno.test("encodeMessage() makes one frame up to the part size and parts above", () => {
  let id = 0;
  const frames = (size: number): string[] =>
    encodeMessage({ t: "put", text: "x".repeat(size) }, () => ++id);
  assert.equal(frames(10).length, 1);
  assert.equal(frames(LINK.partSize - 100).length, 1);
  assert.equal(id, 0);
  assert.equal(frames(LINK.partSize).length, 4);
  assert.throws(() => frames(LINK.messageCap), { code: "RequestEntityTooLarge" });
});

Deno.test("parseMessage() refuses what is no message and says why", () => {
  for (
    const text of [
      "",
      "{",
      "1",
      "null",
      "[]",
      "{}",
      '{"t":1}',
      '{"t":""}',
      `{"t":"${"x".repeat(65)}"}`,
    ]
  ) {
    assert.throws(() => parseMessage(text), { code: "BadRequest" }, text);
  }
  const depth = (n: number): string => `{"t":"a","b":${"[".repeat(n)}${"]".repeat(n)}}`;
  assert.equal(parseMessage(depth(LINK.depthCap - 1)).t, "a");
  assert.throws(() => parseMessage(depth(LINK.depthCap)), { code: "RequestEntityTooLarge" });
  // Brackets within strings are no nesting.
  assert.equal(parseMessage(`{"t":"a","b":"${"[".repeat(1000)}\\"${"{".repeat(1000)}"}`).t, "a");
});

Deno.test("PartJoiner refuses parts that are out of order, of another message or nested", () => {
  const part = (n: number, over: Record<string, unknown> = {}) => ({
    t: "part",
    id: 1,
    n,
    of: 3,
    data: '{"t":',
    ...over,
  });
  for (const bad of [part(1), part(2), part(0, { id: 2 }), part(1, { of: 4 }), part(3), part(-1)]) {
    const joiner = new PartJoiner();
    if (bad.n === 1 && bad.of === 3) {
      assert.throws(() => joiner.add(bad), { code: "BadRequest" });
      continue;
    }
    joiner.add(part(0));
    assert.throws(() => joiner.add(bad), { code: "BadRequest" }, JSON.stringify(bad));
  }
  const nested = new PartJoiner();
  assert.throws(() => nested.add(part(0, { of: 1, data: '{"t":"part"}' })), { code: "BadRequest" });
});
