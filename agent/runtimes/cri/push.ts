import { fromBinary } from "@bufbuild/protobuf";
import { isAppError } from "../../../core/base/mod.ts";
import { Events, TaskEventSchema, TaskExitSchema } from "./gen/containerd_events_pb.ts";
import { RuntimeService } from "./gen/runtime_pb.ts";
import type { GrpcChannel } from "./grpc/channel.ts";
import { NAMESPACE, NAMESPACE_HEADERS } from "./namespace.ts";
import type { Hint } from "./relist.ts";

const TOPICS: Readonly<Record<string, Hint["kind"]>> = {
  "/tasks/start": "start",
  "/tasks/exit": "exit",
};

/**
 * Reads the runtime's push of task events and calls `onHint` for each, until `signal` aborts or the
 * connection ends. containerd pushes them in its own service; CRI-O, and containerd from 2.0, in
 * CRI's `GetContainerEvents` (KEP-3386). A hint of the latter names no state to wait for.
 *
 * @throws {AppError} Unsupported when the runtime has neither, ServiceUnavailable when the connection
 * breaks.
 */
export async function runPush(
  channel: GrpcChannel,
  onHint: (hint: Hint | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    await runContainerdPush(channel, onHint, signal);
  } catch (error) {
    if (!isAppError(error, "Unsupported")) throw error;
    const { getContainerEvents } = RuntimeService.method;
    for await (const _ of channel.stream(getContainerEvents, {}, { signal })) onHint(undefined);
  }
}

async function runContainerdPush(
  channel: GrpcChannel,
  onHint: (hint: Hint) => void,
  signal: AbortSignal,
): Promise<void> {
  const filters = Object.keys(TOPICS).map((topic) => `namespace==${NAMESPACE},topic=="${topic}"`);
  const stream = channel.stream(Events.method.subscribe, { filters }, {
    signal,
    headers: NAMESPACE_HEADERS,
  });
  for await (const { topic, event } of stream) {
    const kind = TOPICS[topic];
    if (!kind || !event) continue;
    const id = kind === "exit" ? exitedContainer(event.value) : startedContainer(event.value);
    if (id !== undefined) onHint({ id, kind });
  }
}

function startedContainer(event: Uint8Array): string {
  return fromBinary(TaskEventSchema, event).containerId;
}

/** The end of a process that exec started says nothing of its container. */
function exitedContainer(event: Uint8Array): string | undefined {
  const { id, containerId } = fromBinary(TaskExitSchema, event);
  return id === containerId ? containerId : undefined;
}
