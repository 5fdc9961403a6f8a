import assert from "node:assert/strict";
import { unzipMember } from "./unzip.ts";

/** A zip archive of one member, written by hand: stored or deflated. */
async function zip(name: string, data: Uint8Array<ArrayBuffer>, deflate: boolean) {
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const packed = deflate ? new Uint8Array(await new Response(stream).arrayBuffer()) : data;
  const text = new TextEncoder().encode(name);
  const [local, entry, end] = [30, 46, 22].map((size) => new DataView(new ArrayBuffer(size)));
  assert.ok(local && entry && end);
  local.setUint32(0, 0x04034b50, true);
  local.setUint16(26, text.length, true);
  entry.setUint32(0, 0x02014b50, true);
  entry.setUint16(10, deflate ? 8 : 0, true);
  entry.setUint32(20, packed.length, true);
  entry.setUint32(24, data.length, true);
  entry.setUint16(28, text.length, true);
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, 1, true);
  end.setUint32(16, 30 + text.length + packed.length, true);
  const parts = [local.buffer, text, packed, entry.buffer, text, end.buffer];
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

const DATA = new TextEncoder().encode("some text that repeats, that repeats, that repeats");

for (const deflate of [false, true]) {
  Deno.test(`unzipMember() takes a ${deflate ? "deflated" : "stored"} member out`, async () => {
    const archive = await zip("a/b.so", DATA, deflate);
    assert.deepEqual(await unzipMember(archive, "a/b.so", 1000), DATA);
  });
}

Deno.test("unzipMember() refuses a member that is absent, too large, or not as large as it says", async () => {
  const archive = await zip("a", DATA, true);
  await assert.rejects(unzipMember(archive, "b", 1000), /holds no b/);
  await assert.rejects(unzipMember(archive, "a", 10), /is 50 bytes, at most 10/);
  const size = archive.length - 22 - 46 - 1 + 24;
  new DataView(archive.buffer).setUint32(size, 49, true);
  await assert.rejects(unzipMember(archive, "a", 1000), /larger than the archive says/);
  new DataView(archive.buffer).setUint32(size, 51, true);
  await assert.rejects(unzipMember(archive, "a", 1000), /shorter than the archive says/);
  await assert.rejects(unzipMember(DATA, "a", 1000), /not a zip archive/);
});
