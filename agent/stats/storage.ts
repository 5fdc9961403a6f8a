import { type Clock, seconds, SharedRead } from "../../core/base/mod.ts";
import type { Pod } from "../../core/api/mod.ts";
import type { Disk } from "../node/mod.ts";
import { type PodPaths, type PodStorage, podStorage } from "../pods/mod.ts";
import type { ImageFilesystem, Runtime } from "../runtimes/mod.ts";

/** What lies on the node's disks. */
export interface Storage {
  /** Where volumes are; `undefined` when it cannot be looked at. */
  readonly node?: Disk | undefined;
  /** Where images and writable layers are, and what they take there. */
  readonly image?: { readonly of: ImageFilesystem; readonly room?: Disk | undefined };
  /** By pod UID. */
  readonly pods: ReadonlyMap<string, PodStorage>;
}

/** Options of {@linkcode StorageReader}. */
export interface StorageReaderOptions {
  readonly runtime?: Runtime | undefined;
  readonly pods: () => readonly Pod[];
  /** Without them no pod is looked at. */
  readonly paths?: PodPaths | undefined;
  /** A path on the filesystem that holds volumes. */
  readonly stateDir: string;
  readonly loadDisk: (path: string) => Promise<Disk | undefined>;
  readonly clock: Clock;
}

/** Walking through volumes costs more than what is in them changes. */
const MAX_AGE = seconds(10);

/** Looks at the disks when somebody asks, at most once in ten seconds. */
export class StorageReader {
  readonly #shared: SharedRead<Storage>;

  constructor(options: StorageReaderOptions) {
    const read = (signal: AbortSignal): Promise<Storage> => readStorage(options, signal);
    this.#shared = new SharedRead({ clock: options.clock, maxAge: MAX_AGE, read });
  }

  /** What lies on the disks. */
  read(signal: AbortSignal): Promise<Storage> {
    return this.#shared.get(signal);
  }
}

async function readStorage(options: StorageReaderOptions, signal: AbortSignal): Promise<Storage> {
  const { runtime, paths } = options;
  const [image] = await runtime?.imageFilesystems(signal) ?? [];
  const pods = new Map<string, PodStorage>();
  if (paths) {
    for (const pod of options.pods()) {
      pods.set(pod.metadata.uid ?? "", await podStorage(paths, pod, signal));
    }
  }
  return {
    node: await options.loadDisk(options.stateDir),
    ...(image ? { image: { of: image, room: await imageDisk(options, image.mountpoint) } } : {}),
    pods,
  };
}

/** The runtime may keep its images where the agent may not look: then how full it is stays unknown. */
async function imageDisk(
  { loadDisk }: StorageReaderOptions,
  path: string,
): Promise<Disk | undefined> {
  try {
    return await loadDisk(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
