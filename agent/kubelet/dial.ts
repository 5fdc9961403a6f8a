import { AppError, isAppError } from "../../core/base/mod.ts";
import {
  type StreamTarget,
  type Upgraded,
  type UpgradeOffer,
  upgradeRuntime,
} from "../../core/streaming/mod.ts";
import type { ByteChannel } from "../../core/wire/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { ExecTurns, Runtime, StreamRequest } from "../runtimes/mod.ts";
import { dialLoopback } from "./tcp.ts";

/** Which pod of this node is streamed to or from. */
export interface PodAt {
  readonly namespace: string;
  readonly name: string;
  /** Refused when another pod has the name by now. @default {whatever pod has the name} */
  readonly uid?: string;
}

/** What {@linkcode dialPod} works with. */
export interface DialParts {
  readonly pods: PodManager;
  readonly runtime: Runtime;
  readonly turns: ExecTurns;
}

/**
 * Opens a stream of the runtime to a pod. It ends with the pod, or when `signal` aborts before it
 * is there; afterwards the caller closes it.
 *
 * @throws {AppError} NotFound, BadRequest in the kubelet's words; what the runtime refuses
 */
export async function dialPod(
  { pods, runtime, turns }: DialParts,
  at: PodAt,
  target: StreamTarget,
  offer: UpgradeOffer,
  signal: AbortSignal,
): Promise<Upgraded> {
  const pod = pods.target(at);
  const request = target.kind === "port-forward"
    ? await portForward(runtime, pod.uid, target.ports, signal)
    : remoteCommand(pod.container(target.container), target);
  using held = new DisposableStack();
  // Only beginning is done in turns: the command goes on for as long as it likes.
  if (request.kind === "exec") held.use(await turns.take(request.containerId, signal));
  const url = new URL(await runtime.streamUrl(request, signal).catch(refused));
  const channel = await dialLoopback(url, signal);
  // Of a port-forward the runtime does not say that its pod has ended.
  held.use(pod.onGone(() => channel.close()));
  const onAbort = (): void => channel.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const upgraded = await upgradeRuntime(channel, url, offer);
    const open = held.move();
    return { ...upgraded, channel: onClose(upgraded.channel, () => open.dispose()) };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** What a runtime finds invalid is the request: of an invalid object clients show no message. */
function refused(error: unknown): never {
  if (!isAppError(error, "Invalid")) throw error;
  throw new AppError("BadRequest", error.message, { cause: error });
}

function remoteCommand(
  containerId: string,
  target: Extract<StreamTarget, { kind: "remote-command" }>,
): StreamRequest {
  const { command, stdin, stdout, stderr, tty } = target;
  const streams = { containerId, stdin, stdout, stderr, tty };
  return command ? { kind: "exec", command, ...streams } : { kind: "attach", ...streams };
}

async function portForward(
  runtime: Runtime,
  podUid: string,
  ports: readonly number[],
  signal: AbortSignal,
): Promise<StreamRequest> {
  const { sandboxes } = await runtime.observe(signal, podUid);
  const sandbox = sandboxes.find(({ ready }) => ready);
  if (!sandbox) {
    throw new AppError("BadRequest", "unable to forward port because pod is not running");
  }
  return { kind: "port-forward", sandboxId: sandbox.id, ports };
}

/** A channel that calls `closed` once when it is closed. */
export function onClose(channel: ByteChannel, closed: () => void): ByteChannel {
  let open = true;
  return {
    read: () => channel.read(),
    write: (bytes) => channel.write(bytes),
    end: () => channel.end(),
    close: () => {
      if (open) closed();
      open = false;
      channel.close();
    },
  };
}
