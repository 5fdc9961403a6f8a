import { AppError, type NodeName } from "../../core/base/mod.ts";
import { readHeader, type RequestHeader, ResponseHead } from "../../core/streaming/mod.ts";
import type { OpenStream } from "./pod_log.ts";

/** Asks a node's kubelet for `path` (with its query) by GET, and gives its answer, whatever it is. */
export type CallKubelet = (
  node: NodeName,
  path: string,
  signal: AbortSignal,
) => Promise<Response>;

/**
 * Calls kubelets through tunnel streams. The body must be read or cancelled; aborting `signal` ends
 * it. The calls reject with ServiceUnavailable when the node is away, Timeout, TooManyRequests, and
 * with Unsupported when its agent is too old.
 */
export function createCallKubelet(
  openStream: OpenStream,
  method: RequestHeader["method"] = "GET",
): CallKubelet {
  return async (node, path, signal) => {
    const stream = await openStream(node, { kind: "request", method, path }, signal);
    const end = (): void => stream.close("whoever asked has left");
    signal.addEventListener("abort", end, { once: true });
    void stream.closed.then(() => signal.removeEventListener("abort", end));
    try {
      if (signal.aborted) throw signal.reason;
      const { status, type } = readHeader(ResponseHead, stream.head);
      const empty = status === 204 || status === 205 || status === 304;
      if (empty) end();
      return new Response(empty ? null : stream.readable, {
        status,
        headers: type === "" ? {} : { "content-type": type },
      });
    } catch (cause) {
      end();
      if (signal.aborted) throw signal.reason;
      throw new AppError("InternalError", `node ${node} answered with rubbish`, { cause });
    }
  };
}
