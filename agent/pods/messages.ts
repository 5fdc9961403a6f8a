import type { Container, Pod } from "../../core/api/mod.ts";
import type { ObservedContainer } from "../runtimes/mod.ts";
import { tailOfLog } from "./logs/tail.ts";
import { containerMemory, type PodMemory } from "./policy/memory.ts";
import type { PodPaths } from "./paths.ts";
import type { PodView } from "./policy/plan.ts";
import { podContainers } from "./policy/roles.ts";

/** Kubernetes' cap of a termination message. */
const MESSAGE_CAP = 4096;
/** Kubernetes' cap of a message that is taken from the log. */
const LOG_CAP = 2048;
const LOG_LINES = 80;

/** Reads the termination messages of containers whose end the memory does not know yet. */
export async function terminationMessages(
  input: {
    readonly pod: Pod;
    readonly view: PodView;
    readonly memory: PodMemory | undefined;
    readonly paths: PodPaths;
  },
): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  const { pod, view, memory, paths } = input;
  const containers = podContainers(pod).map((one) => one.container);
  for (const one of view.containers) {
    if (one.state !== "exited") continue;
    const known = memory && containerMemory(memory, one.name)?.exit;
    const container = containers.find(({ name }) => name === one.name);
    if (!container || known?.id === one.id) continue;
    const text = await messageOf(pod, { container, one, paths });
    if (text) out[one.id] = text;
  }
  return out;
}

async function messageOf(
  pod: Pod,
  input: { container: Container; one: ObservedContainer; paths: PodPaths },
): Promise<string> {
  const { container, one, paths } = input;
  const { uid = "", namespace = "default", name } = pod.metadata;
  const text = await readHead(paths.message(uid, one.name, one.attempt));
  if (text || container.terminationMessagePolicy !== "FallbackToLogsOnError") return text;
  if (one.exitCode === 0) return "";
  const file = `${paths.logs({ namespace, name, uid })}/${paths.logPath(one.name, one.attempt)}`;
  return await tailOfLog(file, { lines: LOG_LINES, bytes: LOG_CAP });
}

async function readHead(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const buffer = new Uint8Array(MESSAGE_CAP);
    let size = 0;
    while (size < MESSAGE_CAP) {
      const count = await file.read(buffer.subarray(size));
      if (!count) break;
      size += count;
    }
    return new TextDecoder().decode(buffer.subarray(0, size));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
