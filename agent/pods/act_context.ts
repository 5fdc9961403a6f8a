import type { Pod, Service } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import type { DownwardFacts } from "./config/field_ref.ts";
import type { PodObjects } from "./policy/plan.ts";
import { findContainer, type PodContainer } from "./policy/roles.ts";

/** What an action is about. */
export interface ActContext {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Absent when only what is left of a pod is ended. */
  readonly pod?: Pod;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
  /** The Services that the pod may be told of, read when a container is made. */
  readonly services: () => readonly Service[];
  /**
   * The runtime's handler by the pod's RuntimeClass.
   *
   * @throws {AppError} NotFound when there is no such class
   */
  readonly handler: () => string | undefined;
  /** The runtime makes cgroups through systemd. */
  readonly systemdCgroups: boolean;
  /** The runtime has recursive read-only mounts. */
  readonly recursiveReadOnly: boolean;
  /** Where the pod is reached, for hooks that name no host. */
  readonly address: string;
  /** Sandbox attempt that containers are started in, for its config. */
  readonly attempt: number;
}

/** The pod that is acted on. @throws {AppError} InternalError when its object is gone */
export function podOf(context: ActContext): Pod {
  if (context.pod) return context.pod;
  throw new AppError("InternalError", `Pod ${context.uid} is to be changed but its object is gone`);
}

/** A container of the pod that is acted on. @throws {AppError} InternalError when it has none of that name */
export function containerOf(context: ActContext, name: string): PodContainer {
  const found = findContainer(podOf(context), name);
  if (found) return found;
  throw new AppError("InternalError", `Pod ${context.name} has no container ${name}`);
}
