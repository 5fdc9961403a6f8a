/**
 * Load for `bench/function_http.ts`, in a process of its own: keeps N connections busy, one request
 * at a time on each, over plain sockets, so that the client costs as little as it can.
 * Arguments: port, path, connections. Each line on standard input is a span in milliseconds.
 */
import { lines, percentiles, print } from "./link_lib.ts";

interface Round {
  requests: number;
  failures: number;
  readonly times: number[];
}

const END = new TextEncoder().encode("\r\n\r\n");
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");

/** Index of `needle` in the first `size` bytes of `data`, or -1. */
function find(data: Uint8Array, size: number, needle: Uint8Array): number {
  const [first = 0] = needle;
  for (let at = data.indexOf(first); at >= 0 && at < size; at = data.indexOf(first, at + 1)) {
    if (at + needle.length <= size && needle.every((byte, i) => data[at + i] === byte)) return at;
  }
  return -1;
}

/** Size of a complete answer at the start of `data`; 0 while it is not complete. */
function answerSize(data: Uint8Array, size: number): number {
  const head = find(data, size, END);
  if (head < 0) return 0;
  const text = new TextDecoder().decode(data.subarray(0, head));
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  if (length !== undefined) {
    const whole = head + 4 + Number(length);
    return size >= whole ? whole : 0;
  }
  const end = find(data, size, LAST_CHUNK);
  return end < 0 ? 0 : end + 5;
}

/** One connection: asks, waits for the whole answer, asks again, until the deadline. */
async function drive(
  target: { readonly port: number; readonly request: Uint8Array },
  until: number,
  round: Round,
): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
  conn.setNoDelay(true);
  const buffer = new Uint8Array(16384);
  let expected = 0;
  try {
    for (let now = performance.now(); now < until;) {
      await conn.write(target.request);
      let size = 0;
      for (;;) {
        const read = await conn.read(buffer.subarray(size));
        if (read === null) throw new Error("the server closed the connection");
        size += read;
        // All answers are alike: the first one's size tells when the others are complete.
        if (expected > 0 ? size >= expected : answerSize(buffer, size) > 0) break;
      }
      expected ||= answerSize(buffer, size);
      // "HTTP/1.1 200": the ninth byte is the first digit of the status.
      if (buffer[9] !== 0x32) round.failures++;
      round.requests++;
      const ended = performance.now();
      round.times.push(ended - now);
      now = ended;
    }
  } finally {
    conn.close();
  }
}

async function main(): Promise<void> {
  const [port = "", path = "", connections = ""] = Deno.args;
  const request = new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n`,
  );
  for await (const line of lines(Deno.stdin.readable)) {
    const span = Number(line);
    const round: Round = { requests: 0, failures: 0, times: [] };
    const started = performance.now();
    await Promise.all(
      Array.from(
        { length: Number(connections) },
        () => drive({ port: Number(port), request }, started + span, round),
      ),
    );
    const seconds = (performance.now() - started) / 1000;
    const { requests, failures, times } = round;
    print({ rps: requests / seconds, requests, failures, ...percentiles(times) });
  }
}

if (import.meta.main) await main();
