import type { Condition, ContainerStatus, Pod, PodPhase } from "../../../core/api/mod.ts";
import { type Ms, toTime } from "../../../core/base/mod.ts";
import type { PodMemory } from "./memory.ts";
import type { PodView } from "./plan.ts";
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
}

type Word = Pick<Condition, "type" | "status" | "reason" | "message">;

/**
 * The pod's conditions. Those of others stay as they are; ours keep their transition time while
 * their status stays the same.
 */
export function podConditions(input: ConditionInput): Condition[] {
  const before = input.pod.status?.conditions ?? [];
  const words = ownConditions(input);
  const own = new Set(words.map((word) => word.type));
  const now = toTime(input.now);
  return [
    ...before.filter((one) => !own.has(one.type) && one.type !== "skerry.dev/Supported"),
    ...words.map((word) => {
      const old = before.find((one) => one.type === word.type);
      const same = old?.status === word.status && old.lastTransitionTime;
      return { ...word, lastTransitionTime: same ? same : now };
    }),
  ];
}

function ownConditions(input: ConditionInput): Word[] {
  const { pod, view, memory, inits, phase } = input;
  const initialized = phase === "Succeeded" || inits.every((one) => one.ready) ||
    input.mains.some((one) => one.state.running);
  const ready = readyWord(input);
  const words: Word[] = [
    word("PodReadyToStartContainers", readySandbox(view) !== undefined),
    initialized ? word("Initialized", true) : {
      ...word("Initialized", false),
      reason: "ContainersNotInitialized",
      message: `containers with incomplete status: ${listNames(inits.filter((one) => !one.ready))}`,
    },
    { ...ready, type: "Ready" },
    { ...ready, type: "ContainersReady" },
  ];
  if (
    !pod.status?.conditions?.some((one) => one.type === "PodScheduled" && one.status === "True")
  ) {
    words.push(word("PodScheduled", true));
  }
  if (memory.refused !== undefined) {
    words.push({
      ...word("skerry.dev/Supported", false),
      reason: "UnsupportedField",
      message: memory.refused,
    });
  }
  return words;
}

function readyWord({ phase, mains, memory }: ConditionInput): Omit<Word, "type"> {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  if (memory.refused !== undefined) {
    return { status: "False", reason: "UnsupportedField", message: memory.refused };
  }
  const unready = mains.filter((one) => !one.ready);
  if (unready.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: ${listNames(unready)}`,
  };
}

function listNames(list: readonly ContainerStatus[]): string {
  return `[${list.map((one) => one.name).join(" ")}]`;
}

function word(type: string, status: boolean): Word {
  return { type, status: status ? "True" : "False" };
}
