import type { Container, Pod, ResourceRequirements } from "../../../core/api/mod.ts";
import { ms, seconds } from "../../../core/base/mod.ts";
import { type Draft, note, tellOnce } from "./draft.ts";
import { isTerminal } from "./finish.ts";
import { containerMemory, type PodMemory } from "./memory.ts";
import { resized } from "./resize.ts";

/**
 * A resize that the node could not grant is looked at again after this, for what nobody tells of:
 * that another pod needs less, it is told.
 */
const AGAIN = seconds(30);

/** Whether a pod wants other resources than the node has granted it. */
export function asksResources(pod: Pod, memory: PodMemory): boolean {
  return resized(pod, memory).length > 0 && memory.resize?.wanted !== resourcesText(pod);
}

/** The pod with the resources that the node has granted it: by these it is counted and run. */
export function allocatedPod(pod: Pod, memory: PodMemory): Pod {
  if (!asksResources(pod, memory)) return pod;
  const given = (container: Container): Container => {
    const resources = containerMemory(memory, container.name)?.resources;
    return resources ? { ...container, resources } : container;
  };
  const { containers, initContainers } = pod.spec;
  const inits = initContainers ? { initContainers: initContainers.map(given) } : {};
  return { ...pod, spec: { ...pod.spec, containers: containers.map(given), ...inits } };
}

/** Whether a step of a pod leaves more of the node for others, or may. */
export function freesResources(before: PodMemory | undefined, after: PodMemory): boolean {
  if (!before || !isCounted(before)) return false;
  return !isCounted(after) || before.resize?.wanted !== after.resize?.wanted;
}

/** Whether a pod counts in what is taken of the node. */
export function isCounted(memory: PodMemory): boolean {
  return memory.admitted === true && !memory.gone && !isTerminal(memory);
}

/** Grants a pod the resources that its spec wants by now, or lets it go on with those that it has. */
export function grantResize(draft: Draft): void {
  const { pod, memory, env: { resizeRefused: refused } } = draft;
  if (!asksResources(pod, memory)) return;
  const { generation = 0 } = pod.metadata;
  if (refused) {
    const { reason, message: error } = refused;
    note(draft, ms(draft.now + AGAIN));
    const message = `Pod resize ${reason}: ${summary(pod, { generation, error })}`;
    const event = { type: "Warning", reason: `Resize${reason}`, message } as const;
    tellOnce(draft, `resize:${generation}:${reason}`, event);
    draft.pod = allocatedPod(pod, memory);
    return;
  }
  // What failed was about other resources.
  const containers = Object.entries(memory.containers).map(([name, part]) => {
    const { resizeFailure: _, ...rest } = part;
    return [name, rest];
  });
  draft.memory = {
    ...memory,
    containers: Object.fromEntries(containers),
    resize: { wanted: resourcesText(pod), generation },
  };
  const message = `Pod resize started: ${summary(pod, { generation })}`;
  draft.events.push({ type: "Normal", reason: "ResizeStarted", message });
}

/** Tells that a resize failed, or that no running container waits for it any more. */
export function followResize(draft: Draft): void {
  const { pod, memory, env } = draft;
  const { resize } = memory;
  if (!resize || resize.done || env.resizeRefused) return;
  const { generation } = resize;
  const open = resized(pod, memory).filter(({ id, exit }) => id !== undefined && !exit);
  if (open.length === 0) {
    draft.memory = { ...memory, resize: { ...resize, done: true } };
    const message = `Pod resize completed: ${summary(pod, { generation })}`;
    draft.events.push({ type: "Normal", reason: "ResizeCompleted", message });
  }
  for (const { resizeFailure } of open) {
    if (!resizeFailure) continue;
    const error = resizeFailure.message;
    const message = `Pod resize error: ${summary(pod, { generation, error })}`;
    const event = { type: "Warning", reason: "ResizeError", message } as const;
    tellOnce(draft, `resize:${generation}:Error:${error}`, event);
  }
}

/** What Events say of a resize, as a kubelet writes it (`pkg/kubelet/events/resize.go`). */
function summary(
  pod: Pod,
  words: { readonly generation: number; readonly error?: string },
): string {
  return JSON.stringify({ ...allocations(pod), ...words });
}

function resourcesText(pod: Pod): string {
  return JSON.stringify(allocations(pod));
}

function allocations({ spec }: Pod): Record<string, unknown> {
  const list = (containers: readonly Container[]): unknown =>
    containers.map(({ name, resources = {} }) => ({ name, resources: ordered(resources) }));
  const { initContainers, containers } = spec;
  const inits = initContainers?.length ? { initContainers: list(initContainers) } : {};
  return { ...inits, containers: list(containers) };
}

function ordered({ limits, requests, ...rest }: ResourceRequirements): unknown {
  const sorted = (amounts: object) => Object.fromEntries(Object.entries(amounts).sort());
  return {
    ...(limits ? { limits: sorted(limits) } : {}),
    ...(requests ? { requests: sorted(requests) } : {}),
    ...rest,
  };
}
