import type { Container, ContainerStatus, Pod } from "../../core/api/mod.ts";
import { fromTime, type Ms } from "../../core/base/mod.ts";
import type { ContainerUsage, SandboxUsage } from "../runtimes/mod.ts";
import { nanoCores, type Sample } from "./sampler.ts";

/** What one running container uses, with what its pod says of it. */
export interface ContainerView {
  readonly usage: ContainerUsage;
  readonly spec?: Container;
  readonly startedAt?: Ms;
  readonly nanoCores?: number;
}

/** What one pod uses. */
export interface PodView {
  readonly pod: Pod;
  readonly containers: readonly ContainerView[];
  readonly sandbox?: SandboxUsage;
}

/** What {@linkcode viewPods} brings together. */
export interface Measured {
  readonly newest: Sample;
  /** Rates are those since then. */
  readonly before?: Sample;
  readonly sandboxes?: readonly SandboxUsage[];
}

/**
 * Brings pods and what was measured together. Pods that use nothing are left out, and so is what
 * belongs to no pod.
 */
export function viewPods(pods: readonly Pod[], measured: Measured): PodView[] {
  const { newest, before } = measured;
  const earlier = new Map(before?.containers.map((item) => [item.id, item]));
  const containers = Map.groupBy(newest.containers, ({ podUid }) => podUid);
  const sandboxes = new Map(measured.sandboxes?.map((item) => [item.podUid, item]));
  return pods.flatMap((pod) => {
    const uid = pod.metadata.uid ?? "";
    const mine = containers.get(uid) ?? [];
    const sandbox = sandboxes.get(uid);
    if (mine.length === 0 && !sandbox) return [];
    const views = mine.map((usage) => viewContainer(pod, usage, earlier.get(usage.id)));
    return [{ pod, containers: views, ...(sandbox ? { sandbox } : {}) }];
  });
}

function viewContainer(
  pod: Pod,
  usage: ContainerUsage,
  before: ContainerUsage | undefined,
): ContainerView {
  const { initContainers = [], ephemeralContainers = [], containers } = pod.spec;
  const spec = [...containers, ...initContainers, ...ephemeralContainers]
    .find(({ name }) => name === usage.name);
  const startedAt = fromTime(statusOf(pod, usage)?.state.running?.startedAt);
  const rate = nanoCores(before, usage);
  return {
    usage,
    ...(spec ? { spec } : {}),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(rate === undefined ? {} : { nanoCores: rate }),
  };
}

/** The status of this run of the container, once it has been written. */
function statusOf({ status }: Pod, { id }: ContainerUsage): ContainerStatus | undefined {
  const all = [
    ...status?.containerStatuses ?? [],
    ...status?.initContainerStatuses ?? [],
    ...status?.ephemeralContainerStatuses ?? [],
  ];
  return all.find(({ containerID }) => containerID?.endsWith(`://${id}`));
}
