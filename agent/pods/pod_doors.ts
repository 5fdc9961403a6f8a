import type { PodLogOptions } from "../../core/api/mod.ts";
import { AppError, type Clock } from "../../core/base/mod.ts";
import type { Listeners } from "./listeners.ts";
import { chooseRun } from "./logs/choose_run.ts";
import { readLog } from "./logs/read_log.ts";
import type { PodPaths } from "./paths.ts";
import type { PodName } from "./pod_index.ts";
import { containerMemory, type PodMemory } from "./policy/memory.ts";
import type { PodRecords } from "./records.ts";
import { runningContainer, type StreamTarget } from "./stream_target.ts";

/** A pod that somebody wants to look into. */
export interface PodRequest extends PodName {
  /** Refused when another pod has the name by now. @default {whatever pod has the name} */
  readonly uid?: string;
}

/** Whose log is read, and how. */
export interface LogRequest extends PodRequest {
  readonly options: PodLogOptions;
}

/** Ways into pods from outside: their logs and their streams. */
export class PodDoors {
  readonly #options: {
    readonly records: PodRecords;
    readonly paths: PodPaths;
    readonly listeners: Listeners;
    readonly clock: Clock;
  };

  constructor(
    options: {
      readonly records: PodRecords;
      readonly paths: PodPaths;
      readonly listeners: Listeners;
      readonly clock: Clock;
    },
  ) {
    this.#options = options;
  }

  /** See `PodManager.readLogs`. */
  readLogs(request: LogRequest, signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
    const { records, paths, listeners, clock } = this.#options;
    const { namespace, name, options } = request;
    const pod = records.find(request);
    if (!pod) throw notHere(request);
    const uid = pod.metadata.uid ?? "";
    const { container } = options;
    const attempt = chooseRun(pod, records.read(uid, request).memory, options);
    const running = (): boolean => {
      const { memory } = records.read(uid, request);
      const part = memory && containerMemory(memory, container);
      return part !== undefined && !memory?.gone && part.attempt === attempt && !part.exit;
    };
    const folder = paths.logs({ namespace, name, uid });
    return readLog(
      {
        path: `${folder}/${paths.logPath(container, attempt)}`,
        running,
        subscribe: (wake) => listeners.add(uid, wake),
      },
      options,
      { clock, signal },
    );
  }

  /** See `PodManager.target`. */
  target(request: PodRequest): StreamTarget {
    const { records, listeners } = this.#options;
    const uid = records.find(request)?.metadata.uid;
    if (uid === undefined) throw notHere(request);
    const memory = (): PodMemory | undefined => records.read(uid, request).memory;
    return {
      uid,
      container: (container) => runningContainer(memory(), { pod: request.name, container }),
      onGone: (fn) =>
        listeners.add(uid, () => {
          const now = memory();
          if (!now || now.gone) fn();
        }),
    };
  }
}

function notHere({ namespace, name }: PodRequest): AppError {
  return new AppError("NotFound", `Pod ${namespace}/${name} is not on this node`);
}
