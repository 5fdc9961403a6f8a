import { errorText, isAppError, type Logger } from "../../core/base/mod.ts";
import { type Disk, loadDisk } from "../node/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";

/** Options of {@linkcode ImageDisk}. */
export interface ImageDiskOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  /** A folder on the disk of volumes. */
  readonly stateDir: string;
}

/** The disk that the runtime has its images and writable layers on. */
export class ImageDisk {
  readonly #options: ImageDiskOptions;
  #path: string | undefined;
  #apart = false;

  constructor(options: ImageDiskOptions) {
    this.#options = options;
  }

  /** Whether it is another disk than that of volumes; `false` until it is known. */
  get apart(): boolean {
    return this.#apart;
  }

  /** How full it is; `undefined` while the runtime has not said where it is. */
  async load(signal: AbortSignal): Promise<Disk | undefined> {
    const path = this.#path ??= await this.#find(signal);
    return path === undefined ? undefined : await loadDisk(path);
  }

  async #find(signal: AbortSignal): Promise<string | undefined> {
    const { runtime, log, stateDir } = this.#options;
    const [first] = await runtime.imageFilesystems(signal).catch((error) => {
      if (!isAppError(error)) throw error;
      return []; // The runtime is away: the rest of the node can be looked at all the same.
    });
    if (!first) return undefined;
    const path = first.mountpoint;
    try {
      const devices = await Promise.all([path, stateDir].map((one) => Deno.stat(one)));
      this.#apart = devices[0]?.dev !== devices[1]?.dev;
      return path;
    } catch (error) {
      const advice = "it is taken for that of the state folder; --host-paths lets the agent look";
      // Deno's own words tell of a flag that nobody can give here.
      const why = error instanceof Deno.errors.NotCapable ? "no right to" : errorText(error);
      log.warn("the disk of images cannot be looked at", { path, error: why, advice });
      return stateDir;
    }
  }
}
