import {
  type Clock,
  errorText,
  type Logger,
  minutes,
  type Ms,
  ms,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { Disk, NodeEvent } from "../node/mod.ts";
import type { ImageInfo, Runtime } from "../runtimes/mod.ts";
import { planContainerGc } from "./container_plan.ts";
import { chooseImages, type ImageRecords, noteImages } from "./image_plan.ts";

/** Options of {@linkcode Collector}. */
export interface CollectorOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  /** The disk that images lie on; `undefined` where it cannot be measured. */
  readonly disk: (signal: AbortSignal) => Promise<Disk | undefined>;
  /** Images that pods of this node name which have not ended: one may be about to start. */
  readonly wanted: () => ReadonlySet<string>;
  /** UIDs of the pods of this node that have ended. */
  readonly ended: () => ReadonlySet<string>;
  readonly event: (event: NodeEvent) => void;
}

/** Images are listed so often, for the Node. */
const LIST_EVERY = minutes(1);
/** Every so many lists something is collected: as often as a kubelet does (5 min). */
const COLLECT_EVERY = 5;
/** From this share of the disk on images go, until it is the lower one (percent). */
const HIGH = 85;
const LOW = 80;

/** Removes images and dead containers that nobody needs, before the disk is full. */
export class Collector implements Service {
  readonly name = "garbage-collection";
  readonly onFailure = "restart";
  readonly #options: CollectorOptions;
  #images: readonly ImageInfo[] = [];
  #records: ImageRecords = new Map();
  #failed = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** The images that are on the node, as of the last list. */
  get images(): readonly ImageInfo[] {
    return this.#images;
  }

  /** See {@linkcode Service}. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, log } = this.#options;
    ready();
    for (let turn = 1; !signal.aborted; turn++) {
      try {
        if (turn % COLLECT_EVERY === 0) await this.collect(signal);
        else await this.#look(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.debug("images could not be looked at", { error: errorText(error) });
      }
      await sleep(clock, LIST_EVERY, signal).catch(() => {});
    }
  }

  /** Keeps images below their share of the disk, and dead containers few. */
  async collect(signal: AbortSignal): Promise<void> {
    const inUse = await this.#look(signal);
    await this.#removeContainers(signal, { all: false });
    const disk = await this.#options.disk(signal);
    if (!disk) return;
    if (disk.size === 0) {
      const message = "invalid capacity 0 on image filesystem";
      this.#options.event({ type: "Warning", reason: "InvalidDiskCapacity", message });
      return;
    }
    const used = 100 - Math.floor(disk.available * 100 / disk.size);
    if (used < HIGH) return void (this.#failed = false);
    const wanted = Math.ceil(disk.size * (100 - LOW) / 100) - disk.available;
    this.#options.log.info("images take too much of the disk", { used, wanted });
    const freed = await this.#removeImages(inUse, wanted, signal);
    this.#account(wanted, freed);
  }

  /** Removes everything that nobody uses: the node is short of room. */
  async reclaim(signal: AbortSignal): Promise<void> {
    await this.#removeContainers(signal, { all: true });
    const inUse = await this.#look(signal);
    await this.#removeImages(inUse, Infinity, signal);
  }

  /** Lists images and notes which are in use; returns these. */
  async #look(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { runtime, wanted, clock } = this.#options;
    this.#images = await runtime.images(signal);
    const { sandboxImage } = await runtime.details(signal);
    const inUse = new Set([
      ...await runtime.imagesInUse(signal),
      ...wanted(),
      ...sandboxImage === undefined ? [] : [sandboxImage],
    ]);
    this.#records = noteImages(this.#records, this.#images, inUse, clock.monotonic());
    return inUse;
  }

  async #removeImages(
    inUse: ReadonlySet<string>,
    wanted: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { runtime, log, clock } = this.#options;
    const now: Ms = ms(clock.monotonic());
    const plan = chooseImages({
      images: this.#images,
      records: this.#records,
      inUse,
      wanted,
      now,
    });
    let freed = 0;
    for (const { id, tags, size } of plan.remove) {
      try {
        await runtime.removeImage(id, signal);
        freed += size;
        this.#images = this.#images.filter((one) => one.id !== id);
        log.info("image removed", { image: tags[0] ?? id, size });
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn("an image could not be removed", {
          image: tags[0] ?? id,
          error: errorText(error),
        });
      }
    }
    return freed;
  }

  /** Tells users, in the kubelet's words: at once of too little, of failing again and again as well. */
  #account(wanted: number, freed: number): void {
    const short = freed < wanted;
    if (short) {
      const message = "Failed to garbage collect required amount of images. Attempted to free " +
        `${wanted} bytes, but only found ${freed} bytes eligible to free.`;
      this.#options.event({ type: "Warning", reason: "FreeDiskSpaceFailed", message });
      if (this.#failed) this.#options.event({ type: "Warning", reason: "ImageGCFailed", message });
    }
    this.#failed = short;
  }

  async #removeContainers(signal: AbortSignal, options: { readonly all: boolean }): Promise<void> {
    const { runtime, ended, log } = this.#options;
    const uids = ended();
    if (uids.size === 0) return;
    const plan = planContainerGc(await runtime.observe(signal), uids, options);
    for (const id of plan) {
      await runtime.removeSandbox(id, signal);
      log.info("a sandbox of an ended pod is removed", { sandbox: id });
    }
  }
}
