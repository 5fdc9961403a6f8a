import assert from "node:assert/strict";
import { unzipOne } from "./layer.ts";

/** A zip archive with one entry, as zip tools write it. */
async function zip(name: string, content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const label = new TextEncoder().encode(name);
  const local = new DataView(new ArrayBuffer(30));
  local.setUint32(0, 0x04034b50, true);
  local.setUint16(8, 8, true);
  local.setUint16(26, label.length, true);
  const entry = new DataView(new ArrayBuffer(46));
  entry.setUint32(0, 0x02014b50, true);
  entry.setUint16(10, 8, true);
  entry.setUint32(20, packed.length, true);
  entry.setUint32(24, content.length, true);
  entry.setUint16(28, label.length, true);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, 1, true);
  end.setUint32(16, 30 + label.length + packed.length, true);
  const parts = [local.buffer, label, packed, entry.buffer, label, end.buffer];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

Deno.test("unzipOne() unpacks the file that it is asked for", async () => {
  const content = new TextEncoder().encode("kubectl ".repeat(1000));
  const archive = await zip("kubectl/kubectl", content);
  assert.deepEqual(await unzipOne(archive, "kubectl/kubectl"), content);
});

Deno.test("unzipOne() refuses what is no archive and a file that is not there", async () => {
  await assert.rejects(unzipOne(new Uint8Array(100), "x"), /no zip archive/);
  await assert.rejects(unzipOne(await zip("a", new Uint8Array(3)), "b"), /not in the archive/);
});
