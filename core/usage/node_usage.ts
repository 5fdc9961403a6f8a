import { z } from "zod";
import { AppError, mib, type NodeName } from "../base/mod.ts";

const Time = z.iso.datetime({ offset: true });
const Cpu = z.object({ time: Time, usageNanoCores: z.int().min(0).exactOptional() });
const Memory = z.object({ time: Time, workingSetBytes: z.int().min(0).exactOptional() });

const ContainerUse = z.object({
  name: z.string(),
  cpu: Cpu.exactOptional(),
  memory: Memory.exactOptional(),
});

/** What the metrics API reads of a kubelet's `/stats/summary`; the rest is skipped. */
export const NodeUsage = z.object({
  node: z.object({ cpu: Cpu.exactOptional(), memory: Memory.exactOptional() }),
  pods: z.array(z.object({
    podRef: z.object({ name: z.string(), namespace: z.string(), uid: z.string() }),
    containers: z.array(ContainerUse).readonly().nullable(),
  })).readonly(),
  /** Ours: how long the rates were taken over. */
  skerry: z.object({ windowSeconds: z.number().min(0) }).exactOptional(),
});
/** @see {@linkcode NodeUsage} */
export type NodeUsage = z.infer<typeof NodeUsage>;
/** One container of a {@linkcode NodeUsage}. */
export type ContainerUse = z.infer<typeof ContainerUse>;

/** The kubelet path that answers with a {@linkcode NodeUsage}. */
export const USAGE_PATH = "/stats/summary?only_cpu_and_memory=true";

/** Room for some thousand containers. */
const MAX_ANSWER = mib(4);

/**
 * Reads a kubelet's answer to {@linkcode USAGE_PATH}.
 *
 * @throws {AppError} ServiceUnavailable when it is a refusal, too long, or no summary
 */
export async function readNodeUsage(node: NodeName, response: Response): Promise<NodeUsage> {
  const fail = (why: string): AppError =>
    new AppError("ServiceUnavailable", `node ${node} does not say what it uses: ${why}`);
  if (response.status !== 200) {
    await response.body?.cancel();
    throw fail(`its kubelet answered with ${response.status}`);
  }
  let text = "";
  const decoder = new TextDecoder();
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER) throw fail(`its answer is longer than ${MAX_ANSWER} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  const usage = NodeUsage.safeParse(parse(text));
  if (usage.success) return usage.data;
  const issue = usage.error.issues[0];
  throw fail(`its summary cannot be read: ${issue?.path.join(".")} ${issue?.message}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No summary either.
  }
}
