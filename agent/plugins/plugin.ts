import { fromBinary } from "@bufbuild/protobuf";
import { AppError, type Clock, errorText, seconds } from "../../core/base/mod.ts";
import type { DeviceGrant } from "../pods/mod.ts";
import { GrpcChannel } from "../runtimes/cri/grpc/mod.ts";
import {
  type ContainerAllocateResponse,
  DevicePlugin,
  RegisterRequestSchema,
} from "./gen/deviceplugin_pb.ts";

/** What a plugin says of itself when it registers. */
export interface Registration {
  readonly version: string;
  /** Name of its socket. */
  readonly endpoint: string;
  readonly resource: string;
}

/** Reads a `RegisterRequest`. @throws {AppError} Invalid for other bytes */
export function readRegistration(message: Uint8Array): Registration {
  try {
    const { version, endpoint, resourceName } = fromBinary(RegisterRequestSchema, message);
    return { version, endpoint, resource: resourceName };
  } catch (error) {
    throw new AppError("Invalid", `The request is no RegisterRequest: ${errorText(error)}`);
  }
}

const rpc = DevicePlugin.method;
const CONNECT_LIMIT = seconds(10);
/** The kubelet's limit of PreStartContainer; it has none for the others. */
const CALL_LIMIT = seconds(30);

/** One registered plugin: what is asked of it over its own socket. */
export class Plugin implements Disposable {
  readonly resource: string;
  readonly #channel: GrpcChannel;
  #preStart = false;
  #prefers = false;

  constructor(options: { resource: string; socketPath: string; clock: Clock }) {
    this.resource = options.resource;
    this.#channel = new GrpcChannel({ ...options, peer: `device plugin of ${options.resource}` });
  }

  /** Whether it wants to hear of every run before it begins. */
  get preStart(): boolean {
    return this.#preStart;
  }

  /** Asks what it wants to be asked. @throws {AppError} ServiceUnavailable, Timeout, ... */
  async connect(signal: AbortSignal): Promise<void> {
    const options = { signal, timeout: CONNECT_LIMIT };
    const answer = await this.#channel.unary(rpc.getDevicePluginOptions, {}, options);
    this.#preStart = answer.preStartRequired;
    this.#prefers = answer.getPreferredAllocationAvailable;
  }

  /**
   * Calls `onList` with all devices, now and after each change, until the plugin ends the stream
   * or `signal` aborts.
   *
   * @throws {AppError} ServiceUnavailable when the connection breaks
   */
  async watch(
    onList: (devices: { id: string; healthy: boolean }[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for await (const { devices } of this.#channel.stream(rpc.listAndWatch, {}, { signal })) {
      onList(devices.map(({ ID, health }) => ({ id: ID, healthy: health === "Healthy" })));
    }
  }

  /** Which devices it would take; nothing when it does not care. */
  async prefer(
    request: { lent: readonly string[]; free: readonly string[]; count: number },
    signal: AbortSignal,
  ): Promise<string[]> {
    if (!this.#prefers) return [];
    const { lent, free, count } = request;
    const answer = await this.#channel.unary(rpc.getPreferredAllocation, {
      containerRequests: [{
        availableDeviceIDs: [...lent, ...free],
        mustIncludeDeviceIDs: [...lent],
        allocationSize: count,
      }],
    }, { signal, timeout: CALL_LIMIT });
    return answer.containerResponses[0]?.deviceIDs ?? [];
  }

  /** What a container needs to use these devices. */
  async allocate(ids: readonly string[], signal: AbortSignal): Promise<DeviceGrant> {
    const request = { containerRequests: [{ devicesIds: [...ids] }] };
    const answer = await this.#channel.unary(rpc.allocate, request, {
      signal,
      timeout: CALL_LIMIT,
    });
    const [one] = answer.containerResponses;
    if (one) return grantOf(one);
    throw new AppError("Invalid", `The device plugin of ${this.resource} allocated nothing`);
  }

  /** Says that a container with these devices is about to run. */
  async prepare(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const request = { devicesIds: [...ids] };
    await this.#channel.unary(rpc.preStartContainer, request, { signal, timeout: CALL_LIMIT });
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}

function grantOf(from: ContainerAllocateResponse): DeviceGrant {
  return {
    env: from.envs,
    mounts: from.mounts.map(({ containerPath, hostPath, readOnly }) => ({
      containerPath,
      hostPath,
      readonly: readOnly,
      propagation: "private",
    })),
    devices: from.devices.map(({ containerPath, hostPath, permissions }) => ({
      containerPath,
      hostPath,
      permissions,
    })),
    annotations: from.annotations,
    cdiDevices: from.cdiDevices.map(({ name }) => name),
  };
}
