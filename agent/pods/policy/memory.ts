import type { ResourceRequirements } from "../../../core/api/mod.ts";
import { AppError, type Ms, ms } from "../../../core/base/mod.ts";

/** How one run of a container ended. Times are points of the wall clock. */
export interface Exit {
  readonly id: string;
  readonly attempt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: Ms;
  readonly finishedAt: Ms;
}

/** The reason of a failure to start what could be created. */
export const START_FAILED = "RunContainerError";

/** A step that failed and is tried again at `until`. */
export interface Failure {
  /** Kubernetes' waiting reason, e.g. `CreateContainerError`. */
  readonly reason: string;
  readonly message: string;
  /** How often in a row. */
  readonly count: number;
  readonly at: Ms;
  readonly until: Ms;
}

/** A running container is ended though its pod goes on. */
export interface Kill {
  /** What made it so: a probe, its `postStart` hook, or a change of its definition. */
  readonly why: "startup" | "liveness" | "postStart" | "changed";
  /** Shown while it is being ended, of a hook. */
  readonly message?: string;
  readonly deadline: Ms;
  readonly grace: Ms;
}

/** What is known of one run beyond what the runtime shows. */
export interface RunMemory {
  /** The container that it is about. */
  readonly id: string;
  /** Its `postStart` hook has succeeded. */
  readonly postStart?: "done";
  /** Its `preStop` hook has returned. */
  readonly preStop?: "done";
  readonly kill?: Kill;
}

/** The end that a pod comes to once everything of it has stopped. */
export interface Finish {
  readonly phase: "Succeeded" | "Failed";
  readonly reason?: string;
  readonly message?: string;
  /** When what still runs is killed, `grace` after that was decided. */
  readonly deadline: Ms;
  readonly grace: Ms;
  /** The cluster was told of the end, and is told nothing else until then. */
  readonly told?: true;
  /** A condition that the pod gets at once. */
  readonly condition?: {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
  };
}

/** What must not be forgotten about one container. */
export interface ContainerMemory {
  /** The run that is wanted or was seen last; equals the restart count. Never falls. */
  readonly attempt: number;
  /** The container of {@linkcode attempt}, once it was seen. */
  readonly id?: string;
  /** How {@linkcode attempt} ended; absent while it runs or is still to be started. */
  readonly exit?: Exit;
  /** How the run before ended. */
  readonly last?: Exit;
  /** Present back-off between restarts, 0 before the first. */
  readonly delay: Ms;
  /** When the back-off was last raised. */
  readonly raisedAt?: Ms;
  /** Not to be restarted before this time. */
  readonly until?: Ms;
  /** Creating or starting it failed. */
  readonly failure?: Failure;
  /** Init containers: the sandbox attempt in which it succeeded; of a sidecar, in which it started. */
  readonly doneFor?: number;
  readonly run?: RunMemory;
  /** What the container of {@linkcode attempt} was given. */
  readonly resources?: ResourceRequirements;
  /** Giving it other resources failed. */
  readonly resizeFailure?: Failure;
}

/** What must not be forgotten about a pod: one row, keyed by UID, written before acting on it. */
export interface PodMemory {
  readonly version: 1;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** When this node first saw the pod. */
  readonly startTime: Ms;
  /** Grace when the pod goes without its own word on it. */
  readonly grace: Ms;
  /** The attempt of the next sandbox: above all that were ever seen. */
  readonly sandboxAttempt: number;
  /** The address of the last ready sandbox. */
  readonly ips: readonly string[];
  readonly sandboxFailure?: Failure;
  readonly volumeFailure?: Failure;
  readonly containers: Readonly<Record<string, ContainerMemory>>;
  /** Never goes back: Pending, Running, then one of the last two. */
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly reason?: string;
  readonly message?: string;
  /** Admission has let the pod in: it is not asked again. */
  readonly admitted?: true;
  /** Admission has turned the pod away. */
  readonly rejected?: true;
  /** The last change of its resources that the node has granted. */
  readonly resize?: {
    /** The resources of its containers, as text. */
    readonly wanted: string;
    /** Of the spec that wanted it. */
    readonly generation: number;
    /** No running container waits for it any more. */
    readonly done?: true;
  };
  /** Set, and kept, once it is known how the pod ends. */
  readonly finish?: Finish;
  /** The node goes down, and the pod with it: containers that ran then, and when they are dead. */
  readonly halted?: { readonly deadline: Ms; readonly grace: Ms; readonly ids: readonly string[] };
  /** The fields for which the pod is refused, as last reported. */
  readonly refused?: string;
  /** Set when the pod is to go: it or its object was deleted. */
  readonly ending?: { readonly since: Ms; readonly deadline: Ms; readonly grace?: Ms };
  /** Volumes and logs are removed. */
  readonly cleaned?: true;
  /** The pod has ended, and its volumes are removed. */
  readonly released?: true;
  /** Everything is stopped and cleaned, and the end was reported. */
  readonly gone?: true;
  /** Events that were emitted once and must not be again. */
  readonly told: readonly string[];
}

/** The memory of a pod that was never seen before. */
export function newMemory(
  pod: { uid: string; namespace: string; name: string },
  options: { now: Ms; grace: Ms },
): PodMemory {
  return {
    version: 1,
    uid: pod.uid,
    namespace: pod.namespace,
    name: pod.name,
    startTime: options.now,
    grace: options.grace,
    sandboxAttempt: 0,
    ips: [],
    containers: {},
    phase: "Pending",
    told: [],
  };
}

/** The memory of one container; `undefined` while it was never wanted. */
export function containerMemory(memory: PodMemory, name: string): ContainerMemory | undefined {
  return Object.hasOwn(memory.containers, name) ? memory.containers[name] : undefined;
}

/** A copy of `memory` with one container's part replaced. */
export function withContainer(memory: PodMemory, name: string, part: ContainerMemory): PodMemory {
  return { ...memory, containers: { ...memory.containers, [name]: part } };
}

/** What is known of the run `id`. */
export function runOf(part: ContainerMemory, id: string): RunMemory {
  return part.run?.id === id ? part.run : { id };
}

/** The first memory of a container. */
export const FIRST_RUN: ContainerMemory = { attempt: 0, delay: ms(0) };

/**
 * Reads a row.
 *
 * @throws {AppError} Unsupported when a newer version of Skerry wrote it; InternalError when it is no memory
 */
export function parseMemory(text: string): PodMemory {
  const value: unknown = JSON.parse(text);
  const row = value as Partial<PodMemory> | null;
  if (typeof row !== "object" || row === null || typeof row.uid !== "string") {
    throw new AppError("InternalError", "A row of pod memory cannot be read: it has no UID");
  }
  if (row.version !== 1) {
    throw new AppError(
      "Unsupported",
      `The memory of pod ${row.uid} has version ${row.version}; this build reads version 1: start the build that wrote it`,
    );
  }
  return row as PodMemory;
}
