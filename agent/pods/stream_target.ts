import { AppError } from "../../core/base/mod.ts";
import { containerMemory, type PodMemory } from "./policy/memory.ts";

/** A pod of this node, for those who stream to or from it. */
export interface StreamTarget {
  readonly uid: string;
  /**
   * The id of the container of that name which runs.
   * @throws {AppError} NotFound, BadRequest in the kubelet's words
   */
  container(name: string): string;
  /** Calls `fn` once when the pod has ended or is no longer of this node. */
  onGone(fn: () => void): Disposable;
}

/** The id of a pod's running container by what is remembered of it. Pure. */
export function runningContainer(
  memory: PodMemory | undefined,
  { pod, container }: { readonly pod: string; readonly container: string },
): string {
  const part = memory && containerMemory(memory, container);
  if (part?.id !== undefined && !part.exit && !memory?.gone) return part.id;
  if (!part) throw new AppError("NotFound", `container not found ("${container}")`);
  const why = part.exit
    ? `it has ended with exit code ${part.exit.exitCode}`
    : "it has not started yet";
  throw new AppError("BadRequest", `container ${container} in pod ${pod} is not running: ${why}`);
}
