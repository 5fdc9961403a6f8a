import {
  type Condition,
  conditionOf,
  type ContainerStatus,
  isFinalPhase,
  NODE_POD_CONDITIONS,
  type Pod,
  type PodPhase,
} from "../../../core/api/mod.ts";
import { type Ms, toTime } from "../../../core/base/mod.ts";
import type { PodMemory } from "./memory.ts";
import type { PodEnv, PodView } from "./plan.ts";
import { initNames } from "./roles.ts";
import { readySandbox } from "./view.ts";

/** What the conditions are made of. */
export interface ConditionInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly memory: PodMemory;
  readonly inits: readonly ContainerStatus[];
  readonly mains: readonly ContainerStatus[];
  readonly phase: PodPhase;
  readonly now: Ms;
  readonly env: Pick<PodEnv, "resizeRefused">;
}

type Word = Pick<Condition, "type" | "status" | "reason" | "message" | "observedGeneration">;

/**
 * The pod's conditions. Those of others stay as they are; ours keep their transition time while
 * their status stays the same.
 */
export function podConditions(input: ConditionInput): Condition[] {
  const before = input.pod.status?.conditions ?? [];
  const words = ownConditions(input);
  const own = new Set(words.map((word) => word.type));
  const { generation } = input.pod.metadata;
  const seen = generation ? { observedGeneration: generation } : {};
  const now = toTime(input.now);
  return [
    ...before.filter((one) => !own.has(one.type) && !NODE_POD_CONDITIONS.has(one.type)),
    ...words.map((word) => {
      const old = before.find((one) => one.type === word.type);
      const same = old?.status === word.status && old.lastTransitionTime;
      return { ...seen, ...word, lastTransitionTime: same ? same : now };
    }),
  ];
}

function ownConditions(input: ConditionInput): Word[] {
  const { pod, view, memory } = input;
  const containers = containersWord(input);
  const disruption = memory.finish?.condition;
  const { observedGeneration: since } = conditionOf(pod, "DisruptionTarget") ?? {};
  return [
    word("PodReadyToStartContainers", readySandbox(view) !== undefined),
    initializedWord(input),
    { ...readyWord(pod, containers), type: "Ready" },
    { ...containers, type: "ContainersReady" },
    word("PodScheduled", true),
    ...(memory.refused === undefined ? [] : [{
      ...word("skerry.dev/Supported", false),
      reason: "UnsupportedField",
      message: memory.refused,
    }]),
    ...(disruption
      ? [{
        ...disruption,
        status: "True" as const,
        ...(since ? { observedGeneration: since } : {}),
      }]
      : []),
    ...resizeWords(input),
  ];
}

function initializedWord({ pod, phase, inits, mains }: ConditionInput): Word {
  const runToEnd = initNames(pod);
  const open = inits.filter((one) => !(runToEnd.has(one.name) ? one.ready : one.started));
  const done = open.length === 0 || mains.some((one) => one.state.running);
  if (phase === "Succeeded") return { ...word("Initialized", true), reason: "PodCompleted" };
  if (done) return word("Initialized", true);
  return {
    ...word("Initialized", false),
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: ${listNames(open)}`,
  };
}

function containersWord({ pod, phase, inits, mains, memory }: ConditionInput): Omit<Word, "type"> {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  if (memory.refused !== undefined) {
    return { status: "False", reason: "UnsupportedField", message: memory.refused };
  }
  const runToEnd = initNames(pod);
  const sidecars = inits.filter((one) => !runToEnd.has(one.name));
  const unready = [...sidecars, ...mains].filter((one) => !one.ready);
  if (unready.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: ${listNames(unready)}`,
  };
}

/** A pod is ready when its containers are and every readiness gate is `True`. */
function readyWord(pod: Pod, containers: Omit<Word, "type">): Omit<Word, "type"> {
  if (containers.status !== "True") return containers;
  const messages: string[] = [];
  for (const { conditionType: type } of pod.spec.readinessGates ?? []) {
    const found = conditionOf(pod, type);
    if (!found) {
      messages.push(`corresponding condition of pod readiness gate "${type}" does not exist.`);
    } else if (found.status !== "True") {
      const text = `the status of pod readiness gate "${type}" is not "True", but ${found.status}`;
      messages.push(text);
    }
  }
  if (messages.length === 0) return containers;
  return { status: "False", reason: "ReadinessGatesNotReady", message: messages.join(", ") };
}

/** A change of resources that the node cannot grant, and one that is under way. */
function resizeWords({ memory, phase, env: { resizeRefused } }: ConditionInput): Word[] {
  if (isFinalPhase(phase)) return [];
  const { resize, containers } = memory;
  const since = resize?.generation ? { observedGeneration: resize.generation } : {};
  const failure = Object.values(containers).find((part) => part.resizeFailure)?.resizeFailure;
  const error = failure ? { reason: "Error", message: failure.message } : {};
  return [
    ...(resizeRefused ? [{ ...word("PodResizePending", true), ...resizeRefused }] : []),
    ...(resize && !resize.done
      ? [{ ...word("PodResizeInProgress", true), ...error, ...since }]
      : []),
  ];
}

function listNames(list: readonly ContainerStatus[]): string {
  return `[${list.map((one) => one.name).join(" ")}]`;
}

function word(type: string, status: boolean): Word {
  return { type, status: status ? "True" : "False" };
}
