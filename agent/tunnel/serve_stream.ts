import type { PodLogOptions } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import type { IncomingStream, StreamHeader } from "../link/mod.ts";
import type { PodManager } from "../pods/mod.ts";

/** Serves what the hub asks for through a tunnel stream (docs/protocol.md 6). */
export async function serveStream(
  pods: PodManager | undefined,
  header: StreamHeader,
  incoming: IncomingStream,
  signal: AbortSignal,
): Promise<void> {
  if (header.kind !== "logs") {
    throw new AppError("Unsupported", `this agent cannot serve ${header.kind} yet`);
  }
  if (!pods) throw new AppError("NotFound", "this node runs no pods: it has no container runtime");
  const { namespace, pod, uid, options } = header as unknown as LogHeader;
  // Refusals (no such pod, container, earlier run) come before the stream is accepted.
  const gone = new AbortController();
  const onAbort = (): void => gone.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const bytes = pods.readLogs({ namespace, name: pod, uid, options }, gone.signal);
    const stream = await incoming.accept();
    // Whoever reads the log may leave while nothing is written; that must end the reading.
    stream.closed.then(() => gone.abort(new Error("the reader left")));
    await bytes.pipeTo(stream.writable, { signal: gone.signal }).catch((error) => {
      if (!gone.signal.aborted) throw error;
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    gone.abort(new Error("the log has been read"));
  }
}

interface LogHeader {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly options: PodLogOptions;
}
