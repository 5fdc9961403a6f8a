import { groupResource, type KubeObject, type ResourceDef } from "../../core/api/mod.ts";
import {
  bytes,
  type Clock,
  errorText,
  type Logger,
  type Ms,
  ms,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { FolderWake } from "../files/mod.ts";
import { checkDocument } from "./check_document.ts";
import { Complaints } from "./complaints.ts";
import type { ManifestHandler } from "./handler.ts";
import { type LoadYaml, parseManifest } from "./parse_manifest.ts";
import { type Listing, listManifests, MANIFESTS_BYTES_CAP, readManifest } from "./read_folder.ts";

/** Options of {@linkcode ManifestFolder}. */
export interface ManifestFolderOptions {
  /** The folder of manifests; it need not be there. */
  readonly folder: string;
  readonly nodeName: string;
  readonly handlers: readonly ManifestHandler[];
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * The folder is read again after this, told or not: no system tells that another folder has taken
   * its name. @default {20 s}
   */
  readonly rescan?: Ms;
  /** @default {the package `yaml`} */
  readonly loadYaml?: LoadYaml;
}

/** An editor writes a file in several steps; one look at the end is enough. */
const QUIET = ms(100);

/**
 * Reads a folder of manifests whenever it changes and has its handlers bring the store to what the
 * manifests say, so that this node works without any hub. What cannot be read, a file or the whole
 * folder, is no evidence: it ends nothing.
 */
export class ManifestFolder implements Service {
  readonly name = "manifests";
  readonly onFailure = "restart";
  readonly #options: ManifestFolderOptions;
  readonly #resources: readonly ResourceDef[];
  readonly #complaints: Complaints;
  #missing = false;

  constructor(options: ManifestFolderOptions) {
    this.#options = options;
    this.#resources = options.handlers.flatMap(({ resources }) => resources);
    this.#complaints = new Complaints(options.log);
  }

  /** See {@linkcode Service}. Ready after the first look. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { folder, clock } = this.#options;
    using wake = new FolderWake(folder, clock);
    const onAbort = (): void => wake.ring();
    signal.addEventListener("abort", onAbort, { once: true });
    let watched: string | undefined;
    try {
      while (!signal.aborted) {
        const place = await this.#look();
        ready();
        if (place === undefined) wake.unwatch();
        // Another folder has the name, or there is one now: it may have changed since the look.
        else if ((place !== watched || !wake.watches) && wake.watch()) wake.ring();
        watched = place;
        await this.#wait(wake, signal);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #wait(wake: FolderWake, signal: AbortSignal): Promise<void> {
    const { clock, rescan = seconds(20) } = this.#options;
    if (signal.aborted) return;
    using _rescan = clock.timer(rescan, () => wake.ring());
    await wake.wait();
    // It rejects only when the signal aborts, which the caller looks at.
    await sleep(clock, QUIET, signal).catch(() => {});
  }

  /** Reads and applies everything; says which folder that was, `undefined` when there was none. */
  async #look(): Promise<string | undefined> {
    const { handlers, store } = this.#options;
    const listing = await this.#list();
    if (!listing) return undefined;
    const files = await this.#readAll(listing.files);
    store.transact((tx) => {
      for (const handler of handlers) {
        handler.apply(tx, files, (file, problem) => this.#complaints.add(file, problem));
      }
    });
    this.#complaints.flush({ complete: true });
    return listing.place;
  }

  async #list(): Promise<Listing | undefined> {
    const { folder, log } = this.#options;
    try {
      const listing = await listManifests(folder);
      if (!listing && !this.#missing) log.debug("there is no folder of manifests", { folder });
      this.#missing = !listing;
      return listing;
    } catch (error) {
      this.#complaints.add(folder, errorText(error));
      this.#complaints.flush({ complete: false });
      return undefined;
    }
  }

  async #readAll(names: readonly string[]): Promise<Map<string, KubeObject[] | undefined>> {
    const files = new Map<string, KubeObject[] | undefined>();
    const known = new Map<string, string>();
    let left: number = MANIFESTS_BYTES_CAP;
    for (const file of names) {
      try {
        const { text, size } = await readManifest(this.#options.folder, file, bytes(left));
        left -= size;
        files.set(file, await this.#parse(text, file, known));
      } catch (error) {
        this.#complaints.add(file, errorText(error));
        files.set(file, undefined);
      }
    }
    return files;
  }

  /** `known` are the objects of the files before, with the file of each. */
  async #parse(text: string, file: string, known: Map<string, string>): Promise<KubeObject[]> {
    const { nodeName, loadYaml } = this.#options;
    const context = { file, nodeName, resources: this.#resources };
    const documents = await parseManifest(text, file, loadYaml);
    const checked = documents.map((value) => checkDocument(value, context));
    return checked.flatMap((one) => {
      if ("unhandled" in one) {
        this.#complaints.add(file, `${one.unhandled}: this node takes no such kind from manifests`);
        return [];
      }
      const { namespace, name } = one.object.metadata;
      const key = `${groupResource(one.resource)} ${namespace}/${name}`;
      const before = known.get(key);
      if (before !== undefined) {
        this.#complaints.add(file, `${key} stands in ${before} already, which counts`);
        return [];
      }
      known.set(key, file);
      return [one.object];
    });
  }
}
