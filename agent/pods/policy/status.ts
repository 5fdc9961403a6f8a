import {
  type ContainerState,
  type ContainerStatus,
  type Pod,
  type PodPhase,
  type PodStatus,
  qosClass,
} from "../../../core/api/mod.ts";
import { type Ms, toTime } from "../../../core/base/mod.ts";
import { podConditions } from "./conditions.ts";
import { SHUT_DOWN } from "./halted.ts";
import {
  type ContainerMemory,
  containerMemory,
  type Exit,
  FIRST_RUN,
  type PodMemory,
} from "./memory.ts";
import { mountStatuses } from "./mounts.ts";
import type { NodePolicy, PodEnv, PodView } from "./plan.ts";
import { type PodContainer, podContainers, waitingReason } from "./roles.ts";
import { isReady, isStarted } from "./started.ts";
import type { Verdict } from "./verdict.ts";
import { currentOf } from "./view.ts";

/** What the status of a pod is made of. */
export interface StatusInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly memory: PodMemory;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly now: Ms;
  readonly env: PodEnv;
}

/** The status to report, and the phase to remember: a phase never goes back. */
export function podStatus(
  input: StatusInput,
): { status: PodStatus; phase: PodMemory["phase"] } {
  const { pod, memory, env } = input;
  const lists = statusLists(input);
  const remembered = phaseOf(input);
  const phase = memory.finish?.told ? memory.finish.phase : remembered;
  const ips = pod.spec.hostNetwork ? env.node.hostIPs : memory.ips;
  const { generation } = pod.metadata;
  const status: PodStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: podConditions({ ...input, ...lists, phase }),
    ...wordsOf(memory),
    ...(env.node.hostIPs[0]
      ? { hostIP: env.node.hostIPs[0], hostIPs: env.node.hostIPs.map((ip) => ({ ip })) }
      : {}),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: toTime(memory.startTime),
    // Nothing of it began, and nothing will: why stands above.
    ...(memory.rejected || neverBegan(input, phase) ? {} : {
      ...(lists.inits.length > 0 ? { initContainerStatuses: lists.inits } : {}),
      containerStatuses: lists.mains,
      ...(lists.debuggers.length > 0 ? { ephemeralContainerStatuses: lists.debuggers } : {}),
    }),
    // Who lets a pod in says it, by fields that mean nothing here too; it can never change.
    qosClass: pod.status?.qosClass ?? qosClass(pod.spec),
  };
  return { status, phase: remembered };
}

/** Of a pod that is deleted nobody asks why, and who watches it is to see no container vanish. */
function neverBegan({ pod, memory }: StatusInput, phase: PodPhase): boolean {
  if (phase !== "Failed" || pod.metadata.deletionTimestamp) return false;
  return Object.values(memory.containers).every(({ id, exit, last }) =>
    (id ?? exit ?? last) === undefined
  );
}

/** Why the pod stands as it does, where that needs a word. */
function wordsOf(memory: PodMemory): Pick<PodStatus, "reason" | "message"> {
  const { halted, finish } = memory;
  const { reason, message } = halted ? SHUT_DOWN : finish?.told ? finish : memory;
  return { ...(reason ? { reason } : {}), ...(message ? { message } : {}) };
}

function statusLists(
  input: StatusInput,
): Record<"inits" | "mains" | "debuggers", ContainerStatus[]> {
  const lists = { inits: [], mains: [], debuggers: [] } as ReturnType<typeof statusLists>;
  const listOf = {
    init: lists.inits,
    sidecar: lists.inits,
    main: lists.mains,
    debug: lists.debuggers,
  };
  for (const which of podContainers(input.pod)) {
    listOf[which.role].push(containerStatus(which, input));
  }
  return lists;
}

function phaseOf({ pod, memory, verdicts }: StatusInput): Exclude<PodPhase, "Unknown"> {
  if (memory.phase !== "Pending") return memory.phase;
  const all = pod.spec.containers.every(({ name }) => {
    const part = containerMemory(memory, name);
    if (part?.exit ?? part?.last) return true;
    const verdict = verdicts.get(name);
    return part?.id !== undefined && !(verdict?.kind === "running" && verdict.as);
  });
  return all ? "Running" : "Pending";
}

function containerStatus(which: PodContainer, input: StatusInput): ContainerStatus {
  const { container, role } = which;
  const { name, image } = container;
  const part = containerMemory(input.memory, name) ?? FIRST_RUN;
  const current = currentOf(input.view, name);
  const verdict: Verdict = input.verdicts.get(name) ??
    { kind: "wait", reason: waitingReason(input.pod) };
  const running = verdict.kind === "running" ? verdict.container : undefined;
  const shown = running ?? current;
  const id = shown && shown.state !== "created" ? shown.id : part.exit?.id ?? part.last?.id;
  const done = verdict.kind === "done" && verdict.exit.exitCode === 0;
  const judged = { ...which, verdict };
  const given = running && resourcesOf(part);
  return {
    name,
    state: stateOf(verdict, input),
    lastState: lastState(verdict, part, input.env.node),
    ready: role === "init" ? done : isReady(input, judged),
    restartCount: part.attempt,
    image: running?.image || image,
    imageID: shown?.imageRef ?? "",
    ...(id ? { containerID: containerId(id, input.env.node) } : {}),
    started: isStarted(input, judged),
    ...(given ?? {}),
    ...mountStatuses(container, input.env.node.recursiveReadOnly),
  };
}

/** What a running container was given; nothing to say of one that asked for nothing. */
function resourcesOf({ resources }: ContainerMemory): Partial<ContainerStatus> {
  const { requests, limits } = resources ?? {};
  if (!resources || (!requests && !limits)) return {};
  return { ...(requests ? { allocatedResources: requests } : {}), resources };
}

/** An id as Kubernetes writes it: with the name of the runtime that gave it. */
function containerId(id: string, { runtime }: NodePolicy): string {
  return `${runtime}://${id}`;
}

function stateOf(verdict: Verdict, { now, env, pod }: StatusInput): ContainerState {
  switch (verdict.kind) {
    case "running": {
      if (verdict.as) return { waiting: verdict.as };
      const { startedAt, createdAt } = verdict.container;
      return { running: { startedAt: toTime(startedAt || createdAt || now) } };
    }
    case "done":
      return terminated(verdict.exit, env.node);
    case "start":
      return { waiting: { reason: waitingReason(pod) } };
    case "wait": {
      const { reason, message } = verdict;
      return { waiting: { reason, ...(message ? { message } : {}) } };
    }
  }
}

function lastState(verdict: Verdict, part: ContainerMemory, node: NodePolicy): ContainerState {
  const exit = verdict.kind === "done" || verdict.kind === "running"
    ? part.last
    : part.exit ?? part.last;
  if (!exit || (verdict.kind === "done" && verdict.exit.id === exit.id)) return {};
  return terminated(exit, node);
}

function terminated(exit: Exit, node: NodePolicy): ContainerState {
  return {
    terminated: {
      exitCode: exit.exitCode,
      reason: exit.reason,
      ...(exit.message ? { message: exit.message } : {}),
      ...(exit.startedAt ? { startedAt: toTime(exit.startedAt) } : {}),
      finishedAt: toTime(exit.finishedAt),
      containerID: containerId(exit.id, node),
    },
  };
}
