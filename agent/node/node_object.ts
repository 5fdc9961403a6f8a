import type { Condition, Node } from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import { kubernetesVersion } from "../../core/parts/mod.ts";
import type { MachineFacts } from "./facts.ts";

/** What {@linkcode nodeObject} makes a Node from. */
export interface NodeInputs {
  readonly name: string;
  readonly facts: MachineFacts;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** `undefined` where the node runs functions only. */
  readonly runtime: { readonly version: string; readonly problem?: string } | undefined;
  /** Engine of the runner, when one answers, e.g. `wasmtime 50.0.1`. */
  readonly engine: string | undefined;
  readonly maxPods: number;
}

/** Memory that is kept for the system and the agent itself. */
const RESERVED_MIB = 128;

/** The Node object as this node sees itself. `before` keeps transition times. */
export function nodeObject(inputs: NodeInputs, before: Node | undefined, now: Ms): Node {
  const { facts } = inputs;
  const totalKi = Math.floor(facts.memory / 1024);
  const pods = inputs.runtime ? inputs.maxPods : 0;
  const amounts = (memoryKi: number): Record<string, string> => ({
    cpu: String(facts.cpus),
    memory: `${memoryKi}Ki`,
    pods: String(pods),
  });
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: inputs.name, labels: nodeLabels(inputs) },
    spec: {},
    status: {
      capacity: amounts(totalKi),
      allocatable: amounts(Math.max(0, totalKi - RESERVED_MIB * 1024)),
      conditions: nodeConditions(inputs, before?.status?.conditions ?? [], now),
      addresses: [
        { type: "InternalIP", address: inputs.address },
        { type: "Hostname", address: facts.hostname },
      ],
      nodeInfo: {
        architecture: facts.architecture,
        operatingSystem: "linux",
        osImage: facts.osImage,
        kernelVersion: facts.kernel,
        machineID: facts.machineId,
        systemUUID: facts.machineId,
        bootID: facts.bootId,
        containerRuntimeVersion: inputs.runtime?.version ?? "none://",
        kubeletVersion: kubernetesVersion(inputs.version),
        kubeProxyVersion: "",
      },
      skerry: { engine: inputs.engine ?? "" },
    },
  };
}

/** The labels that a node carries by itself, then the user's. */
function nodeLabels(inputs: NodeInputs): Record<string, string> {
  return {
    "kubernetes.io/hostname": inputs.name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": inputs.facts.architecture,
    ...inputs.labels,
  };
}

function nodeConditions(inputs: NodeInputs, before: readonly Condition[], now: Ms): Condition[] {
  const problem = inputs.runtime?.problem;
  const ready: Condition = problem === undefined
    ? {
      type: "Ready",
      status: "True",
      reason: "AgentReady",
      message: inputs.runtime
        ? "agent is ready"
        : "agent is ready, functions only (no container runtime)",
    }
    : { type: "Ready", status: "False", reason: "RuntimeNotReady", message: problem };
  const pressure = (type: string): Condition => ({
    type,
    status: "False",
    reason: `AgentHasNo${type}`,
    message: "not under pressure",
  });
  const all = [ready, ...["MemoryPressure", "DiskPressure", "PIDPressure"].map(pressure)];
  return all.map((condition) => {
    const old = before.find((item) => item.type === condition.type);
    const same = old?.status === condition.status;
    return {
      ...condition,
      lastTransitionTime: (same ? old?.lastTransitionTime : undefined) ?? toTime(now),
    };
  });
}
