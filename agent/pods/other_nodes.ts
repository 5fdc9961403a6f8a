import { errorText } from "../../core/base/mod.ts";
import type { PodManagerOptions } from "./options.ts";

/**
 * What there is to say of pods that carry other nodes' names; `undefined` when there are none. A
 * second agent on this machine has such, and so has one that has joined under another name: nothing
 * tells them apart (docs/decisions/051-strays.md).
 */
export function otherNodesText(
  nodes: ReadonlyMap<string, number>,
  own: string,
): string | undefined {
  const others = [...nodes].filter(([node]) => node !== own).sort();
  if (others.length === 0) return undefined;
  const texts = others.map(([node, count]) => `${node} (${count})`);
  return `pods of other nodes run on this machine: ${texts.join(", ")}. If no other agent runs ` +
    "here, this one had that name before and does nothing about them: end them by hand " +
    '("crictl pods --label dev.skerry.node=NAME" names them, "crictl rmp --force ID" ends one)';
}

/** Says once in the log when there are pods of other nodes. Never throws. */
export async function tellOtherNodes(
  { runtime, log, config: { nodeName } }: Pick<PodManagerOptions, "runtime" | "log" | "config">,
  signal: AbortSignal,
): Promise<void> {
  try {
    const text = otherNodesText(await runtime.podsByNode(signal), nodeName);
    if (text !== undefined) log.warn(text);
  } catch (error) {
    log.debug("pods of other nodes could not be looked for", { error: errorText(error) });
  }
}
