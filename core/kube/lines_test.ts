import assert from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { readLines } from "./lines.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function linesOf(chunks: readonly Uint8Array[], most = 1000): Promise<string[]> {
  return await Array.fromAsync(readLines(ReadableStream.from(chunks), most));
}

Deno.test("readLines() finds the same lines however the bytes are cut", async () => {
  const text = bytes('{"a":"é€𝄞"}\n\nsecond\r\nlast\n');
  const lines = ['{"a":"é€𝄞"}', "", "second\r", "last"];
  assert.deepEqual(await linesOf([text]), lines);
  for (let size = 1; size < text.length; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < text.length; at += size) chunks.push(text.slice(at, at + size));
    assert.deepEqual(await linesOf(chunks), lines, `chunks of ${size}`);
  }
});

Deno.test("readLines() leaves out a last line that was broken off", async () => {
  assert.deepEqual(await linesOf([bytes("one\ntw")]), ["one"]);
  assert.deepEqual(await linesOf([bytes("tw"), new Uint8Array()]), []);
  assert.deepEqual(await linesOf([]), []);
});

Deno.test("readLines() refuses a line over its limit before it has all of it", async () => {
  let given = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      given++;
      controller.enqueue(bytes("x".repeat(100)));
    },
  });
  await assert.rejects(
    Array.fromAsync(readLines(endless, 1000)),
    (error) => isAppError(error, "RequestEntityTooLarge"),
  );
  assert.ok(given < 20, `${given} chunks were read`);
});

Deno.test("readLines() cancels the stream when its reader stops", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes("one\ntwo\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const line of readLines(stream, 10)) {
    assert.equal(line, "one");
    break;
  }
  assert.ok(cancelled);
});
