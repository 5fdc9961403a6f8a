import type { Condition } from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import type { RuntimeCondition } from "../runtimes/mod.ts";

/** What the node knows of its container runtime. */
export interface RuntimeState {
  /** e.g. `containerd://1.7.2`. */
  readonly version: string;
  /** Why it cannot be asked; it says nothing else then. */
  readonly down?: string;
  readonly conditions: readonly RuntimeCondition[];
}

/** What there can be too little of. */
export type Pressure = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** What the conditions of a Node are made of. */
export interface ConditionInputs {
  /** `undefined` where the node runs functions only. */
  readonly runtime: RuntimeState | undefined;
  readonly pressures: ReadonlySet<Pressure>;
  readonly shuttingDown: boolean;
  /** What there is to say of pods that run here unknown; `undefined` when there are none. */
  readonly strays: string | undefined;
}

type Word = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Reasons and messages are the kubelet's (`nodestatus/setters.go`): tools look for them. */
const PRESSURES: readonly { type: Pressure; yes: [string, string]; no: [string, string] }[] = [
  {
    type: "MemoryPressure",
    yes: ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
    no: ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
  },
  {
    type: "DiskPressure",
    yes: ["KubeletHasDiskPressure", "kubelet has disk pressure"],
    no: ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
  },
  {
    type: "PIDPressure",
    yes: ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
    no: ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
  },
];

/**
 * The node's own conditions, in the kubelet's order. Those of others in `before` are not among
 * them: whoever has them keeps them. Transition times move only with the status.
 */
export function nodeConditions(
  inputs: ConditionInputs,
  before: readonly Condition[],
  now: Ms,
): Condition[] {
  const words: Word[] = [
    ...networkWord(inputs.runtime, before),
    ...PRESSURES.map(({ type, yes, no }): Word => {
      const pressed = inputs.pressures.has(type);
      const [reason, message] = pressed ? yes : no;
      return { type, status: pressed ? "True" : "False", reason, message };
    }),
    ...strayWord(inputs.strays, before),
    readyWord(inputs),
  ];
  const time = toTime(now);
  return words.map((word) => {
    const old = before.find((item) => item.type === word.type);
    const same = old?.status === word.status ? old.lastTransitionTime : undefined;
    return { ...word, lastHeartbeatTime: time, lastTransitionTime: same ?? time };
  });
}

/** Most nodes never have any: only one that had some says that there are none. */
function strayWord(strays: string | undefined, before: readonly Condition[]): Word[] {
  const type = "StrayPods";
  if (strays !== undefined) {
    return [{ type, status: "True", reason: "UnknownPodsRun", message: strays }];
  }
  if (!before.some((one) => one.type === type)) return [];
  return [{
    type,
    status: "False",
    reason: "AllPodsKnown",
    message: "no pod runs that this node does not know",
  }];
}

function readyWord({ runtime, shuttingDown }: ConditionInputs): Word {
  const problems = [
    ...(runtime ? runtimeProblems(runtime) : []),
    ...(shuttingDown ? ["node is shutting down"] : []),
  ];
  if (problems.length > 0) {
    const [first = ""] = problems;
    const message = problems.length === 1 ? first : `[${problems.join(", ")}]`;
    return { type: "Ready", status: "False", reason: "KubeletNotReady", message };
  }
  const message = `kubelet is posting ready status${
    runtime ? "" : ", functions only: there is no container runtime"
  }`;
  return { type: "Ready", status: "True", reason: "KubeletReady", message };
}

function runtimeProblems({ down, conditions }: RuntimeState): string[] {
  if (down !== undefined) return [`container runtime is down: ${down}`];
  return conditions.filter(({ status }) => !status).map(({ type, reason, message }) => {
    const what = type === "NetworkReady" ? "container runtime network" : "container runtime";
    return `${what} not ready: ${type}=false reason:${reason} message:${message}`;
  });
}

/** Whether pods can have a network (CNI). A runtime that is away leaves it as it was. */
function networkWord(runtime: RuntimeState | undefined, before: readonly Condition[]): Word[] {
  const type = "NetworkUnavailable";
  const network = runtime?.conditions.find((one) => one.type === "NetworkReady");
  if (network) {
    return [
      network.status
        ? { type, status: "False", reason: "NetworkPluginReady", message: "CNI is ready" }
        : { type, status: "True", reason: network.reason, message: network.message },
    ];
  }
  const old = runtime && before.find((one) => one.type === type);
  return old ? [{ ...old }] : [];
}
