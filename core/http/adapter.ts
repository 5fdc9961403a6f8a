import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "../base/mod.ts";

/**
 * Makes a `Request` of what node received. The body is read only as fast as the handler reads it.
 * @throws {AppError} BadRequest, MethodNotAllowed for what no `Request` can carry
 */
export function toRequest(message: IncomingMessage, signal: AbortSignal): Request {
  const { method = "GET", url = "/" } = message;
  if (!url.startsWith("/")) {
    throw new AppError("BadRequest", "the request target must be a path that starts with /");
  }
  const hasBody = method !== "GET" && method !== "HEAD" && declaresBody(message);
  try {
    const headers = new Headers();
    for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
      headers.append(message.rawHeaders[i] ?? "", message.rawHeaders[i + 1] ?? "");
    }
    // The host is a constant: nothing may depend on what a client puts into `Host`.
    return new Request(`https://localhost${url}`, {
      method,
      headers,
      signal,
      ...(hasBody ? { body: bodyOf(message), duplex: "half" } : {}),
    });
  } catch (cause) {
    const known = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method);
    throw known
      ? new AppError("BadRequest", "the request line or a header cannot be read", { cause })
      : new AppError("MethodNotAllowed", `method ${method} is not served`, { cause });
  }
}

function declaresBody(message: IncomingMessage): boolean {
  const length = message.headers["content-length"];
  return message.headers["transfer-encoding"] !== undefined ||
    (length !== undefined && length !== "0");
}

function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  let ended = false;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const fail = (): void => {
        if (ended) return;
        ended = true;
        controller.error(new AppError("BadRequest", "the client went away inside the body"));
      };
      message.on("data", (chunk: Uint8Array) => {
        if (ended) return;
        controller.enqueue(new Uint8Array(chunk));
        message.pause();
      });
      message.on("end", () => {
        if (ended) return;
        ended = true;
        controller.close();
      });
      message.on("error", fail);
      message.on("close", fail);
      message.pause();
    },
    pull() {
      message.resume();
    },
    cancel() {
      ended = true;
      // Reads on without keeping anything: the connection may be good for another request.
      message.resume();
    },
  }, { highWaterMark: 0 });
}

/**
 * Writes a `Response` out, no faster than the client takes it. Resolves when it is written or when
 * the client has gone; the response's body is given up in that case.
 */
export async function writeResponse(
  response: Response,
  out: ServerResponse,
  head: boolean,
): Promise<void> {
  const headers: [string, string][] = [...response.headers];
  out.writeHead(response.status, headers.flat());
  if (response.body === null || head) {
    await response.body?.cancel();
    out.end();
    return;
  }
  // A watch that has nothing to say yet must still show the client that it is open.
  out.flushHeaders();
  const reader = response.body.getReader();
  // Ends a read that waits. A race of promises would do it too, and keep every chunk until the end.
  out.once("close", () => void reader.cancel().catch(() => {}));
  let written: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (out.destroyed) return;
      if (done) break;
      // Nobody is called back for nothing.
      if (value.byteLength === 0) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      if (!out.write(value, () => resolve())) await drained(out);
      written = promise;
    }
    // The end goes in a TLS record of its own. An API server that passes a log on to a WebSocket loses
    // what it reads together with the end (`messageCopy` of its `wsstream`).
    await Promise.race([written, closed(out)]);
    out.end();
  } catch {
    // The head is out already: only a cut connection tells the client that the answer is not whole.
    out.destroy();
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Resolves when the client has gone. */
function closed(out: ServerResponse): Promise<void> {
  if (out.destroyed) return Promise.resolve();
  return new Promise((resolve) => out.once("close", resolve));
}

/** Resolves when more may be written, or when the client has gone. */
function drained(out: ServerResponse): Promise<void> {
  if (out.destroyed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = (): void => {
    out.off("drain", go);
    out.off("close", go);
    resolve();
  };
  out.on("drain", go);
  out.on("close", go);
  return promise;
}
