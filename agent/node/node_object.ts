import type { Node } from "../../core/api/mod.ts";
import type { Bytes, Ms } from "../../core/base/mod.ts";
import { kubernetesVersion } from "../../core/parts/mod.ts";
import type { ImageInfo } from "../runtimes/mod.ts";
import type { Disk } from "./disk.ts";
import type { MachineFacts } from "./facts.ts";
import { type ConditionInputs, nodeConditions } from "./node_conditions.ts";

/** What {@linkcode nodeObject} makes a Node from. */
export interface NodeInputs extends ConditionInputs {
  readonly name: string;
  readonly facts: MachineFacts;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** Engine of the runner, when one answers, e.g. `wasmtime 50.0.1`. */
  readonly engine: string | undefined;
  readonly maxPods: number;
  /** The disk of pods' volumes and logs; absent where it cannot be measured. */
  readonly disk: Disk | undefined;
  /** What eviction keeps free: pods cannot have it. */
  readonly kept: { readonly memory: Bytes; readonly disk: Bytes };
  readonly images: readonly ImageInfo[];
  readonly extended: ExtendedResources;
}

/** Resources that others bring, e.g. device plugins: whole numbers by name (`example.com/tpu`). */
export interface ExtendedResources {
  readonly capacity: Readonly<Record<string, number>>;
  /** Without what is out of order. */
  readonly allocatable: Readonly<Record<string, number>>;
}

/** Memory that is kept for the system and the agent itself. */
const RESERVED_MIB = 128;
/** The kubelet's `nodeStatusMaxImages`, and the names that it tells of each. */
const MAX_IMAGES = 50;
const MAX_NAMES = 5;

/** The Node object as this node sees itself. `before` keeps transition times. */
export function nodeObject(inputs: NodeInputs, before: Node | undefined, now: Ms): Node {
  const { facts } = inputs;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: inputs.name, labels: nodeLabels(inputs) },
    spec: {},
    status: {
      capacity: capacityOf(inputs),
      allocatable: allocatableOf(inputs),
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
        // The DMI one is below /sys, which no sandboxed process may read; a kubelet on a board
        // without DMI says the same.
        systemUUID: facts.machineId,
        bootID: facts.bootId,
        containerRuntimeVersion: inputs.runtime?.version ?? "none://",
        kubeletVersion: kubernetesVersion(inputs.version),
        kubeProxyVersion: "",
      },
      images: nodeImages(inputs.images),
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

function capacityOf(inputs: NodeInputs): Record<string, string> {
  const { facts, disk, extended } = inputs;
  return {
    cpu: String(facts.cpus),
    ...(disk ? { "ephemeral-storage": `${Math.floor(disk.size / 1024)}Ki` } : {}),
    memory: `${Math.floor(facts.memory / 1024)}Ki`,
    pods: podCount(inputs),
    ...texts(extended.capacity),
  };
}

function allocatableOf(inputs: NodeInputs): Record<string, string> {
  const { facts, disk, kept, extended } = inputs;
  const memoryKi = Math.floor((facts.memory - kept.memory) / 1024) - RESERVED_MIB * 1024;
  return {
    cpu: String(facts.cpus),
    ...(disk ? { "ephemeral-storage": String(Math.max(0, disk.size - kept.disk)) } : {}),
    memory: `${Math.max(0, memoryKi)}Ki`,
    pods: podCount(inputs),
    ...texts(extended.allocatable),
  };
}

function podCount({ runtime, maxPods }: NodeInputs): string {
  return String(runtime ? maxPods : 0);
}

function texts(amounts: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, count]) => [name, String(count)]));
}

/** The largest images, digests before tags. */
function nodeImages(images: readonly ImageInfo[]): { names: string[]; sizeBytes: number }[] {
  return images.toSorted((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1))
    .slice(0, MAX_IMAGES)
    .map(({ digests, tags, size }) => ({
      names: [...digests, ...tags].slice(0, MAX_NAMES),
      sizeBytes: size,
    }));
}
