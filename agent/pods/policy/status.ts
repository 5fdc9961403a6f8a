import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
} from "../../../core/api/mod.ts";
import { type Ms, toTime } from "../../../core/base/mod.ts";
import { podConditions } from "./conditions.ts";
import {
  type ContainerMemory,
  containerMemory,
  type Exit,
  FIRST_RUN,
  type PodMemory,
} from "./memory.ts";
import type { PodEnv, PodView } from "./plan.ts";
import { qosClass } from "./resources.ts";
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
  const inits = (pod.spec.initContainers ?? []).map((one) => containerStatus(one, input, "init"));
  const mains = pod.spec.containers.map((one) => containerStatus(one, input, "main"));
  const phase = phaseOf(pod, memory);
  const ips = pod.spec.hostNetwork ? env.node.hostIPs : memory.ips;
  const { generation } = pod.metadata;
  const status: PodStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: podConditions({ ...input, inits, mains, phase }),
    ...(memory.reason ? { reason: memory.reason } : {}),
    ...(memory.message ? { message: memory.message } : {}),
    ...(env.node.hostIPs[0]
      ? { hostIP: env.node.hostIPs[0], hostIPs: env.node.hostIPs.map((ip) => ({ ip })) }
      : {}),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: toTime(memory.startTime),
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: mains,
    qosClass: qosClass(pod.spec),
  };
  return { status, phase };
}

function phaseOf(pod: Pod, memory: PodMemory): Exclude<PodPhase, "Unknown"> {
  if (memory.phase !== "Pending") return memory.phase;
  const all = pod.spec.containers.every((one) => {
    const part = containerMemory(memory, one.name);
    return part && (part.id !== undefined || part.exit || part.last);
  });
  return all ? "Running" : "Pending";
}

function containerStatus(
  container: Container,
  input: StatusInput,
  role: "init" | "main",
): ContainerStatus {
  const { name } = container;
  const part = containerMemory(input.memory, name) ?? FIRST_RUN;
  const current = currentOf(input.view, name);
  const verdict = input.verdicts.get(name) ?? { kind: "wait", reason: "ContainerCreating" };
  const shown = verdict.kind === "running" ? verdict.container : current;
  const id = shown && shown.state !== "created" ? shown.id : part.exit?.id ?? part.last?.id;
  const running = verdict.kind === "running";
  const done = verdict.kind === "done" && verdict.exit.exitCode === 0;
  return {
    name,
    state: stateOf(verdict, input.now),
    lastState: lastState(verdict, part),
    ready: role === "init" ? done : running,
    restartCount: part.attempt,
    image: container.image,
    imageID: shown?.imageRef ?? "",
    ...(id ? { containerID: `containerd://${id}` } : {}),
    started: running,
  };
}

function stateOf(verdict: Verdict, now: Ms): ContainerState {
  switch (verdict.kind) {
    case "running": {
      const { startedAt, createdAt } = verdict.container;
      return { running: { startedAt: toTime(startedAt || createdAt || now) } };
    }
    case "done":
      return terminated(verdict.exit);
    case "start":
      return { waiting: { reason: "ContainerCreating" } };
    case "wait": {
      const { reason, message } = verdict;
      return { waiting: { reason, ...(message ? { message } : {}) } };
    }
  }
}

function lastState(verdict: Verdict, part: ContainerMemory): ContainerState {
  const exit = verdict.kind === "done" || verdict.kind === "running"
    ? part.last
    : part.exit ?? part.last;
  if (!exit || (verdict.kind === "done" && verdict.exit.id === exit.id)) return {};
  return terminated(exit);
}

function terminated(exit: Exit): ContainerState {
  return {
    terminated: {
      exitCode: exit.exitCode,
      reason: exit.reason,
      ...(exit.message ? { message: exit.message } : {}),
      ...(exit.startedAt ? { startedAt: toTime(exit.startedAt) } : {}),
      finishedAt: toTime(exit.finishedAt),
      containerID: `containerd://${exit.id}`,
    },
  };
}
