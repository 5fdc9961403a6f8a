// The envelope of skerry-core-v1, as docs/guest-abi.md writes it. AssemblyScript, not TypeScript.

/** A request, as it lies in memory. */
export class Request {
  constructor(private at: usize) {}

  get method(): string {
    return String.UTF8.decodeUnsafe(this.at + 28, this.word(1));
  }

  get body(): string {
    const head: usize = this.at + 28 + this.word(1) + this.word(2) + this.word(3) + this.word(5);
    return String.UTF8.decodeUnsafe(head, this.word(6));
  }

  private word(index: i32): u32 {
    return load<u32>(this.at + (<usize> index) * 4);
  }
}

/** Builds an answer with one header and gives what `handle` returns: address and size. */
export function respond(status: u32, contentType: string, body: string): u64 {
  const name = String.UTF8.encode("content-type");
  const value = String.UTF8.encode(contentType);
  const text = String.UTF8.encode(body);
  const headers: u32 = 8 + name.byteLength + value.byteLength;
  const size: u32 = 20 + headers + text.byteLength;
  const at = heap.alloc(size);
  store<u32>(at, 1);
  store<u32>(at, status, 4);
  store<u32>(at, 1, 8);
  store<u32>(at, headers, 12);
  store<u32>(at, text.byteLength, 16);
  store<u32>(at, name.byteLength, 20);
  store<u32>(at, value.byteLength, 24);
  let end = at + 28;
  end = append(end, name);
  end = append(end, value);
  append(end, text);
  return ((<u64> at) << 32) | (<u64> size);
}

function append(at: usize, data: ArrayBuffer): usize {
  memory.copy(at, changetype<usize>(data), data.byteLength);
  return at + data.byteLength;
}
