import type { PodLogOptions } from "../../core/api/mod.ts";
import { AppError, type Clock } from "../../core/base/mod.ts";
import {
  channelOf,
  joinChannels,
  readHeader,
  RequestHeader,
  UpgradeHeader,
} from "../../core/streaming/mod.ts";
import type { ByteChannel } from "../../core/wire/mod.ts";
import type { IncomingStream, StreamHeader } from "../link/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { Kubelet } from "./kubelet.ts";

/** What the tunnel's streams are served from. */
export interface TunnelParts {
  readonly kubelet: Kubelet;
  /** Absent on a node without a container runtime. */
  readonly pods: PodManager | undefined;
  readonly clock: Clock;
}

/** Serves what the hub asks for through a tunnel stream (docs/protocol.md 6). */
export async function serveTunnel(
  parts: TunnelParts,
  header: StreamHeader,
  incoming: IncomingStream,
  signal: AbortSignal,
): Promise<void> {
  switch (header.kind) {
    case "logs":
      return await serveLogs(parts.pods, header as unknown as LogHeader, incoming, signal);
    case "request":
      return await serveRequest(parts.kubelet, header, incoming, signal);
    case "upgrade":
      return await serveUpgrade(parts, header, incoming, signal);
    default:
      throw new AppError("Unsupported", `this agent cannot serve ${header.kind} yet`);
  }
}

async function serveLogs(
  pods: PodManager | undefined,
  { namespace, pod, uid, options }: LogHeader,
  incoming: IncomingStream,
  signal: AbortSignal,
): Promise<void> {
  if (!pods) throw new AppError("NotFound", "this node runs no pods: it has no container runtime");
  // Refusals (no such pod, container, earlier run) come before the stream is accepted.
  const bytes = pods.readLogs({ namespace, name: pod, uid, options }, signal);
  const { writable } = await incoming.accept();
  await send(bytes, writable, signal);
}

async function serveRequest(
  kubelet: Kubelet,
  header: StreamHeader,
  incoming: IncomingStream,
  signal: AbortSignal,
): Promise<void> {
  const response = await kubelet.fetch(readHeader(RequestHeader, header), signal);
  const { status, headers, body } = response;
  try {
    const { writable } = await incoming.accept({ status, type: headers.get("content-type") ?? "" });
    if (body) await send(body, writable, signal);
    else await writable.close();
  } catch (error) {
    await body?.cancel().catch(() => {});
    throw error;
  }
}

async function serveUpgrade(
  { kubelet, clock }: TunnelParts,
  header: StreamHeader,
  incoming: IncomingStream,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, pod: name, uid, target, offer } = readHeader(UpgradeHeader, header);
  const { protocol, channel: server } = await kubelet.dial(
    { namespace, name, uid },
    target,
    offer,
    signal,
  );
  let client: ByteChannel;
  try {
    client = channelOf(await incoming.accept({ protocol }));
  } catch (error) {
    server.close();
    throw error;
  }
  await joinChannels({ client, server }, { clock, signal });
}

/** Whoever reads may leave while nothing is written; `signal` then ends the reading. */
async function send(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  writable: WritableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): Promise<void> {
  await bytes.pipeTo(writable, { signal }).catch((error) => {
    if (!signal.aborted) throw error;
  });
}

interface LogHeader {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly options: PodLogOptions;
}
