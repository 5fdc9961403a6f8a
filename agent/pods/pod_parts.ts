import type { Pod } from "../../core/api/mod.ts";
import type { WorkQueue } from "../../core/base/mod.ts";
import type { RuntimeInfo } from "../runtimes/mod.ts";
import { Actor } from "./actor.ts";
import { DeviceKeeper } from "./device_keeper.ts";
import { Hooks } from "./hooks.ts";
import { ImageKeeper } from "./image_keeper.ts";
import type { Observer } from "./observer.ts";
import type { PodManagerOptions } from "./options.ts";
import type { PodPaths } from "./paths.ts";
import type { PodEvent, Shutdown } from "./policy/plan.ts";
import { Prober } from "./probes/prober.ts";
import type { PodRecords } from "./records.ts";
import { Stops } from "./stops.ts";
import { TokenKeeper } from "./token_keeper.ts";
import { PodWorker } from "./worker.ts";

/** What the parts are put together from. */
export interface PodPartsOptions {
  readonly manager: PodManagerOptions;
  readonly queue: WorkQueue;
  readonly records: PodRecords;
  readonly paths: PodPaths;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  readonly event: (uid: string, event: PodEvent) => void;
  readonly runtimeInfo: () => Promise<RuntimeInfo>;
  readonly predecessor: (uid: string) => boolean;
  readonly shutdown: (pod: Pod) => Shutdown | undefined;
  readonly ended: (uid: string) => void;
}

/** The parts of one run of the manager. */
export interface PodParts {
  readonly worker: PodWorker;
  readonly devices: DeviceKeeper;
  readonly prober: Prober;
  /** Resolves when what was begun in the background has ended, after `signal` aborted. */
  settled(): Promise<void>;
}

/** Puts together what works on pods. */
export function makePodParts(options: PodPartsOptions): PodParts {
  const { manager, queue, signal, event } = options;
  const { clock, runtime, config, log } = manager;
  const changed = (uid: string): void => queue.add(uid);
  const images = new ImageKeeper({
    ...{ runtime, clock, signal, changed, event },
    pulls: config.pulls ?? 3,
  });
  const stops = new Stops({
    ...{ runtime, clock, log, signal },
    changed: (uid, after) => queue.addAfter(uid, after),
  });
  const prober = new Prober({ ...manager, changed, event });
  const hooks = new Hooks({ clock, log, signal, changed });
  const devices = new DeviceKeeper({
    ...{ devices: manager.devices, store: manager.store },
    ...{ clock, log, signal, changed },
  });
  const tokens = new TokenKeeper({
    ...{ clock, log, signal, random: manager.random, store: manager.store },
    request: manager.requestToken,
    onToken: manager.onToken,
    changed: (uid, after) => queue.addAfter(uid, after),
  });
  const actor = new Actor({
    ...{ runtime, clock, config, images, stops, hooks, signal },
    paths: options.paths,
    devices: manager.devices,
    mounted: (uid) => worker.mounted(uid),
  });
  const worker: PodWorker = new PodWorker({
    ...manager,
    ...options,
    ...{ images, stops, prober, hooks, devices, tokens, actor },
    begins: (uid) => queue.restart(uid),
    freed: (waiting) => {
      for (const uid of waiting) queue.add(uid);
    },
  });
  return {
    worker,
    devices,
    prober,
    async settled() {
      const ends = [images, stops, hooks, devices, tokens].map((part) => part.settled());
      await Promise.allSettled([...ends, prober[Symbol.asyncDispose]()]);
    },
  };
}
