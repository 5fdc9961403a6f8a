import { isAppError, type Ms, ms } from "../../../core/base/mod.ts";
import {
  LABEL,
  type Observation,
  type ObservedContainer,
  type ObservedSandbox,
} from "../runtime.ts";
import type { Call } from "./calls.ts";
import { IMAGE_NAME_ANNOTATION } from "./convert.ts";
import {
  type Container,
  ContainerState,
  type ContainerStatus,
  type PodSandbox,
  PodSandboxState,
  RuntimeService,
} from "./gen/runtime_pb.ts";

const STATE: Record<number, ObservedContainer["state"]> = {
  [ContainerState.CONTAINER_CREATED]: "created",
  [ContainerState.CONTAINER_RUNNING]: "running",
  [ContainerState.CONTAINER_EXITED]: "exited",
  [ContainerState.CONTAINER_UNKNOWN]: "unknown",
};

const { listPodSandbox, listContainers, podSandboxStatus, containerStatus } = RuntimeService.method;

/** What one pair of list calls shows: states, but neither exit codes nor addresses. */
export interface Listing {
  readonly sandboxes: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

/**
 * Reads what runs. Two list calls, and one status call for each container or sandbox whose state is
 * another than when its status was last read: an exit code, a start time or an address never changes
 * while the state stays.
 */
export class Observer {
  readonly #call: Call;
  readonly #selector: Readonly<Record<string, string>>;
  readonly #statuses = new Map<string, ContainerStatus>();
  readonly #ips = new Map<string, readonly string[]>();

  /** With `node`, only what carries it as {@linkcode LABEL} `.node` is seen. */
  constructor(call: Call, node?: string) {
    this.#call = call;
    this.#selector = node === undefined ? {} : { [LABEL.node]: node };
  }

  /** The labels of what is seen, of all pods or of one. */
  selector(podUid: string | undefined): Record<string, string> {
    return { ...this.#selector, ...(podUid === undefined ? {} : { [LABEL.podUid]: podUid }) };
  }

  /** The two lists, of all pods or of one. */
  async list(signal: AbortSignal, podUid?: string): Promise<Listing> {
    const filter = { labelSelector: this.selector(podUid) };
    const [sandboxes, containers] = await Promise.all([
      this.#call(listPodSandbox, { filter }, signal),
      this.#call(listContainers, { filter }, signal),
    ]);
    return {
      sandboxes: sandboxes.items.filter((item) => item.labels[LABEL.podUid]),
      containers: containers.containers.filter((item) => item.labels[LABEL.podUid]),
    };
  }

  /** {@linkcode Runtime.podsByNode}. */
  async podsByNode(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { items } = await this.#call(listPodSandbox, {}, signal);
    const counts = new Map<string, number>();
    for (const { state, labels: { [LABEL.node]: node } } of items) {
      if (state !== PodSandboxState.SANDBOX_READY || node === undefined) continue;
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    return counts;
  }

  /** {@linkcode Runtime.observe}. */
  async observe(signal: AbortSignal, podUid?: string): Promise<Observation> {
    const listing = await this.list(signal, podUid);
    if (podUid === undefined) this.#forgetAllBut(listing);
    const [sandboxes, containers] = await Promise.all([
      Promise.all(listing.sandboxes.map((item) => this.#sandbox(item, signal))),
      Promise.all(listing.containers.map((item) => this.#container(item, signal))),
    ]);
    return {
      sandboxes: sandboxes.filter((item) => item !== undefined),
      containers: containers.filter((item) => item !== undefined),
    };
  }

  /** Drops what is kept of one sandbox or container. */
  forget(id: string): void {
    this.#statuses.delete(id);
    this.#ips.delete(id);
  }

  #forgetAllBut(listing: Listing): void {
    const containers = new Set(listing.containers.map((item) => item.id));
    const sandboxes = new Set(listing.sandboxes.map((item) => item.id));
    for (const id of this.#statuses.keys()) if (!containers.has(id)) this.#statuses.delete(id);
    for (const id of this.#ips.keys()) if (!sandboxes.has(id)) this.#ips.delete(id);
  }

  async #sandbox(item: PodSandbox, signal: AbortSignal): Promise<ObservedSandbox | undefined> {
    const ready = item.state === PodSandboxState.SANDBOX_READY;
    if (!ready) this.#ips.delete(item.id);
    return {
      id: item.id,
      podUid: item.labels[LABEL.podUid] ?? "",
      podName: item.metadata?.name ?? "",
      podNamespace: item.metadata?.namespace ?? "",
      attempt: item.metadata?.attempt ?? 0,
      ready,
      createdAt: toMs(item.createdAt),
      ips: ready ? await this.#addresses(item.id, signal) : [],
      labels: item.labels,
      annotations: item.annotations,
    };
  }

  async #addresses(id: string, signal: AbortSignal): Promise<readonly string[]> {
    const kept = this.#ips.get(id);
    if (kept) return kept;
    const status = await ifPresent(this.#call(podSandboxStatus, { podSandboxId: id }, signal));
    const network = status?.status?.network;
    const ips = [network?.ip, ...network?.additionalIps.map((entry) => entry.ip) ?? []]
      .filter((ip) => ip !== undefined && ip !== "") as string[];
    if (status?.status?.state === PodSandboxState.SANDBOX_READY) this.#ips.set(id, ips);
    return ips;
  }

  async #container(item: Container, signal: AbortSignal): Promise<ObservedContainer | undefined> {
    let status = this.#statuses.get(item.id);
    if (status?.state !== item.state || item.state === ContainerState.CONTAINER_UNKNOWN) {
      const answer = await ifPresent(this.#call(containerStatus, { containerId: item.id }, signal));
      status = answer?.status;
      if (!status) return undefined;
      this.#statuses.set(item.id, status);
    }
    return toObserved(item, status);
  }
}

/** Something that was removed between the list and the status call is not there: no error. */
async function ifPresent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isAppError(error, "NotFound")) return undefined;
    throw error;
  }
}

function toObserved(item: Container, status: ContainerStatus): ObservedContainer {
  const state = STATE[status.state] ?? "unknown";
  const exited = state === "exited";
  return {
    id: item.id,
    sandboxId: item.podSandboxId,
    podUid: item.labels[LABEL.podUid] ?? "",
    name: item.metadata?.name ?? "",
    attempt: item.metadata?.attempt ?? 0,
    state,
    createdAt: toMs(status.createdAt),
    ...(status.startedAt > 0n ? { startedAt: toMs(status.startedAt) } : {}),
    ...(exited && status.finishedAt > 0n ? { finishedAt: toMs(endOf(status)) } : {}),
    ...(exited ? { exitCode: status.exitCode } : {}),
    ...(status.reason === "" ? {} : { reason: status.reason }),
    ...(status.message === "" ? {} : { message: status.message }),
    image: item.annotations[IMAGE_NAME_ANNOTATION] ?? item.image?.image ?? "",
    imageRef: status.imageRef,
    logPath: status.logPath,
    labels: item.labels,
    annotations: item.annotations,
  };
}

/** CRI counts nanoseconds. */
function toMs(nanoseconds: bigint): Ms {
  return ms(Number(nanoseconds / 1000n) / 1000);
}

/**
 * When a container ended, in nanoseconds. containerd notes the start when its shim has answered, so
 * one that ends at once seems to have ended before it began.
 */
function endOf(status: { readonly startedAt: bigint; readonly finishedAt: bigint }): bigint {
  return status.finishedAt < status.startedAt ? status.startedAt : status.finishedAt;
}
