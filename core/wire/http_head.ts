import { AppError } from "../base/mod.ts";
import { type ByteChannel, type Bytes, joinBytes, withHead } from "./channel.ts";

/** Bytes of the head of an answer. */
const HEAD_CAP = 16 * 1024;

/** The head of an HTTP answer, and the channel with what follows it. */
export interface AnswerHead {
  readonly status: number;
  /** By lower-case name; of a header that comes twice the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly channel: ByteChannel;
}

/**
 * Reads the head of an HTTP/1.1 answer.
 *
 * @param who names the other end in errors
 * @throws {AppError} ServiceUnavailable when it hangs up, InternalError when it does not speak HTTP
 */
export async function readAnswerHead(channel: ByteChannel, who: string): Promise<AnswerHead> {
  let seen: Bytes = new Uint8Array(0);
  for (;;) {
    const bytes = await channel.read();
    if (!bytes) throw new AppError("ServiceUnavailable", `${who} hung up`);
    seen = joinBytes([seen, bytes]);
    // Latin-1, so that places in the text are places in the bytes.
    const text = new TextDecoder("latin1").decode(seen.subarray(0, HEAD_CAP));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      return {
        ...parseHead(text.slice(0, end), who),
        channel: withHead(channel, seen.subarray(end + 4)),
      };
    }
    if (seen.byteLength >= HEAD_CAP) {
      throw new AppError("InternalError", `the head of the answer of ${who} is too long`);
    }
  }
}

function parseHead(head: string, who: string): Pick<AnswerHead, "status" | "headers"> {
  const [first = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new AppError("InternalError", `${who} does not speak HTTP`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ""] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name !== undefined) headers[name.toLowerCase()] = value;
  }
  return { status, headers };
}
