import { isExtendedResource, type Pod } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  errorText,
  type Logger,
  minutes,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { CDI_FOLDERS } from "../../core/parts/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { ExtendedResources } from "../node/mod.ts";
import {
  DEVICE_SPACE,
  type DeviceAnswer,
  type DeviceGrant,
  neededDevices,
  type PodDevices,
} from "../pods/mod.ts";
import { allot, mergeGrants } from "./allot.ts";
import { claimFolder, Slots } from "./folder.ts";
import { Inventory } from "./inventory.ts";
import type { Plugin } from "./plugin.ts";
import { readRow, writeRow } from "./rows.ts";

/** Options of {@linkcode DevicePlugins}. */
export interface DevicePluginsOptions {
  /** Folder of `kubelet.sock`. */
  readonly folder: string;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether the runtime resolves the names of CDI devices by itself. */
  readonly nativeCdi: (signal: AbortSignal) => Promise<boolean>;
  /** Told when {@linkcode DevicePlugins.resources} answers otherwise than before. */
  readonly changed: () => void;
  /** @default {CDI_FOLDERS} */
  readonly cdiFolders?: readonly string[];
}

/** The version of the interface that is spoken. */
const VERSION = "v1beta1";
/** A folder that could not be had is tried again after this. */
const RETRY = minutes(1);
/** Before CRI had a field for CDI devices, plugins named them in annotations with this prefix. */
const CDI_ANNOTATION = "cdi.k8s.io/";

/**
 * The kubelet's device-plugin interface: plugins register at `kubelet.sock` and list their
 * devices; pods get them, and keep what they got in the store over every restart.
 */
export class DevicePlugins implements Service, PodDevices {
  readonly name = "device-plugins";
  readonly onFailure = "restart";
  readonly #options: DevicePluginsOptions;
  readonly #inventory = new Inventory();
  readonly #plugins = new Map<string, Plugin>();
  readonly #watches = new Map<Plugin, { stop: AbortController; ended: Promise<void> }>();
  /** One pod after the other chooses devices. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DevicePluginsOptions) {
    this.#options = options;
  }

  /** The devices of this node, for its Node object. */
  resources(): ExtendedResources {
    return this.#inventory.resources(this.#options.clock.now());
  }

  /** See {@linkcode Service}. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { folder, clock } = this.#options;
    ready();
    const listener = await this.#claim(signal);
    if (!listener) return;
    const slots = new Slots(folder);
    try {
      const { serveUnary } = await import("./http2/serve.ts");
      await serveUnary(listener, {
        clock,
        signal,
        handle: (message, stop) => this.#register(message, slots, stop),
      });
    } finally {
      for (const { stop } of this.#watches.values()) stop.abort(signal.reason);
      await Promise.all([...this.#watches.values()].map(({ ended }) => ended));
    }
  }

  /** See {@linkcode PodDevices}. */
  allocate(pod: Pod, signal: AbortSignal): Promise<DeviceAnswer> {
    const answer = this.#turn.then(() => this.#allocate(pod, signal));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  /** See {@linkcode PodDevices}. */
  free(uid: string): void {
    this.#options.store.transact((tx) => tx.deleteRow(DEVICE_SPACE, uid));
  }

  /** See {@linkcode PodDevices}. */
  async prepare(
    pod: Pod,
    container: string,
    signal: AbortSignal,
  ): Promise<DeviceGrant | undefined> {
    const row = readRow(this.#options.store, pod.metadata.uid ?? "");
    const part = row && Object.hasOwn(row.containers, container)
      ? row.containers[container]
      : undefined;
    if (!part) return undefined;
    for (const { resource, ids, preStart } of part.devices) {
      if (!preStart) continue;
      const plugin = this.#plugins.get(resource);
      if (!plugin) {
        const text = `the device plugin of ${resource} has gone and must prepare the container`;
        throw new AppError("Conflict", text);
      }
      await plugin.prepare(ids, signal);
    }
    return await this.#resolveCdi(part.grant, signal);
  }

  async #claim(signal: AbortSignal): Promise<Deno.Listener<Deno.UnixConn> | undefined> {
    const { folder, clock, log } = this.#options;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        return await claimFolder(folder);
      } catch (error) {
        const fields = { folder, error: errorText(error) };
        if (tries === 0) log.warn("device plugins cannot register", fields);
        else log.debug("device plugins cannot register", fields);
      }
      await sleep(clock, RETRY, signal).catch(() => {});
    }
    return undefined;
  }

  async #register(message: Uint8Array, slots: Slots, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const { Plugin, readRegistration } = await import("./plugin.ts");
    const { version, endpoint, resource } = readRegistration(message);
    if (version !== VERSION) {
      throw new AppError(
        "Unsupported",
        `requested API version ${JSON.stringify(version)} is not supported by kubelet. ` +
          `Supported version is ${JSON.stringify(VERSION)}`,
      );
    }
    if (!isExtendedResource(resource)) {
      throw new AppError("Invalid", `the ResourceName ${JSON.stringify(resource)} is invalid`);
    }
    const socketPath = await slots.take(endpoint);
    const plugin = new Plugin({ resource, socketPath, clock });
    const release = async (): Promise<void> => {
      plugin[Symbol.dispose]();
      await slots.free(socketPath);
    };
    try {
      await plugin.connect(signal);
      signal.throwIfAborted();
    } catch (error) {
      await release();
      throw error;
    }
    const before = this.#plugins.get(resource);
    this.#plugins.set(resource, plugin);
    if (before) this.#watches.get(before)?.stop.abort(new Error("the plugin registered again"));
    const stop = new AbortController();
    const ended = this.#watch(plugin, stop.signal).finally(release).catch((error) => {
      log.warn("the link to a device plugin could not be removed", { error: errorText(error) });
    }).finally(() => this.#watches.delete(plugin));
    this.#watches.set(plugin, { stop, ended });
    log.info("device plugin registered", { resource, endpoint });
  }

  /** Follows a plugin's devices until it goes, another takes its place or the agent stops. */
  async #watch(plugin: Plugin, signal: AbortSignal): Promise<void> {
    const { clock, log, changed } = this.#options;
    const { resource } = plugin;
    let problem = "it ended the stream";
    try {
      await plugin.watch((devices) => {
        if (this.#plugins.get(resource) !== plugin) return;
        this.#inventory.list(resource, devices);
        changed();
      }, signal);
    } catch (error) {
      problem = errorText(error);
    }
    if (this.#plugins.get(resource) !== plugin) return;
    this.#plugins.delete(resource);
    this.#inventory.leave(resource, clock.now());
    if (signal.aborted) return;
    log.warn("device plugin has gone", { resource, problem });
    changed();
  }

  async #allocate(pod: Pod, signal: AbortSignal): Promise<DeviceAnswer> {
    const { store, log } = this.#options;
    const { uid = "", name, namespace } = pod.metadata;
    if (readRow(store, uid)) return { kind: "granted" };
    const needed = neededDevices(store, pod, (resource) => this.#inventory.has(resource));
    const missing = [...needed].find((one) => this.#inventory.healthy(one) === undefined);
    if (missing !== undefined) {
      const message = `no device plugin for ${missing} is registered on this node`;
      return { kind: "waits", message };
    }
    try {
      const row = await allot(pod, {
        store,
        inventory: this.#inventory,
        plugins: this.#plugins,
        needed,
      }, signal);
      writeRow(store, uid, row);
      const devices = Object.values(row.containers).flatMap((one) => one.devices);
      log.info("devices allocated", { namespace, name, uid, devices });
      return { kind: "granted" };
    } catch (error) {
      // A database that cannot be written is no fault of the pod's, nor is the end of the agent.
      if (signal.aborted || !(error instanceof AppError)) throw error;
      const message = `Allocate failed due to ${error.message}, which is unexpected`;
      return { kind: "refused", rejection: { reason: "UnexpectedAdmissionError", message } };
    }
  }

  /** Applies the specs of CDI devices where the runtime does not know what they are. */
  async #resolveCdi(grant: DeviceGrant, signal: AbortSignal): Promise<DeviceGrant> {
    const { log, nativeCdi, cdiFolders = CDI_FOLDERS } = this.#options;
    const annotated = Object.entries(grant.annotations)
      .filter(([key]) => key.startsWith(CDI_ANNOTATION))
      .flatMap(([, value]) => value.split(","));
    const names = [...new Set([...grant.cdiDevices, ...annotated])];
    if (names.length === 0 || await nativeCdi(signal)) return grant;
    const { cdiGrant } = await import("./cdi/edits.ts");
    const { loadCdiSpecs } = await import("./cdi/load.ts");
    const specs = await loadCdiSpecs(cdiFolders, (path, problem) => {
      log.warn("a CDI spec cannot be read", { path, problem });
    });
    return mergeGrants([{ ...grant, cdiDevices: [] }, cdiGrant(specs, names)]);
  }
}
