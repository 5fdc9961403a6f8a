import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  errorText,
  type Logger,
  mib,
  type Ms,
  ms,
  seconds,
  type Service,
  toTime,
} from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import { FolderWake } from "../files/mod.ts";
import { MANIFEST_ANNOTATION, parseManifest } from "./manifest.ts";
import { isStaticPod } from "./options.ts";

/** Options of {@linkcode StaticPods}. */
export interface StaticPodsOptions {
  /** The folder of manifests. */
  readonly folder: string;
  readonly nodeName: string;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** The folder is read again after this, told or not. @default {20 s} */
  readonly rescan?: Ms;
}

const MANIFEST_CAP = mib(1);
const MANIFESTS_CAP = 500;
/** An editor writes a file in several steps; one look at the end is enough. */
const QUIET = ms(100);

/** What a look at the folder found: the pods of each file, `undefined` for one that cannot be read. */
type Found = Map<string, Pod[] | undefined>;

/**
 * Keeps the pods of a folder of manifests in the store, so that this node runs them without any
 * hub. A changed manifest is a new pod (its UID follows from its content) and the old one ends; a
 * manifest that is gone ends its pod. A manifest, or a folder, that cannot be read ends nothing.
 */
export class StaticPods implements Service {
  readonly name = "static-pods";
  readonly onFailure = "restart";
  readonly #options: StaticPodsOptions;
  readonly #complained = new Map<string, string>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** See {@linkcode Service}. Ready after the first look. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { folder, clock } = this.#options;
    while (!signal.aborted) {
      using wake = new FolderWake(folder, clock);
      const onAbort = (): void => wake.ring();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        do {
          await this.#look();
          ready();
          if (signal.aborted) break;
          using _rescan = clock.timer(this.#options.rescan ?? seconds(20), () => wake.ring());
          await wake.wait();
          using _quiet = clock.timer(QUIET, () => wake.ring());
          if (!signal.aborted) await wake.wait();
          // A folder that was not there is watched as soon as it is.
        } while (!signal.aborted && wake.watches);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    }
  }

  async #look(): Promise<void> {
    const found = await this.#read();
    if (!found) return;
    const { store, clock, nodeName } = this.#options;
    const wanted = new Map<string, Pod>();
    for (const pods of found.values()) {
      for (const pod of pods ?? []) wanted.set(keyOf(pod), pod);
    }
    store.transact((tx) => {
      for (const pod of wanted.values()) this.#ensure(tx, pod);
      for (const object of tx.list(RESOURCES.pods)) {
        const pod = object as Pod;
        if (!isStaticPod(pod) || pod.spec.nodeName !== nodeName) continue;
        const file = pod.metadata.annotations?.[MANIFEST_ANNOTATION] ?? "";
        const unreadable = found.has(file) && found.get(file) === undefined;
        if (wanted.has(keyOf(pod)) || unreadable || pod.metadata.deletionTimestamp) continue;
        const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
        const deletionTimestamp = toTime(ms(clock.now() + grace * 1000));
        const ending = { deletionTimestamp, deletionGracePeriodSeconds: grace };
        tx.put(RESOURCES.pods, { ...pod, metadata: { ...pod.metadata, ...ending } });
      }
    });
  }

  #ensure(tx: Tx, pod: Pod): void {
    const { namespace = "default", name, uid } = pod.metadata;
    const current = tx.get({ resource: RESOURCES.pods, namespace, name }) as Pod | undefined;
    // One that ends keeps its name until it has; the next look brings it back.
    if (current?.metadata.uid === uid) return;
    if (current && !isStaticPod(current)) {
      const why = `pod ${namespace}/${name} is already there and comes from the hub`;
      return this.#complain(pod.metadata.annotations?.[MANIFEST_ANNOTATION] ?? name, why);
    }
    const creationTimestamp = toTime(this.#options.clock.now());
    tx.put(RESOURCES.pods, { ...pod, metadata: { ...pod.metadata, creationTimestamp } });
  }

  /** Reads all manifests; `undefined` when the folder itself cannot be read. */
  async #read(): Promise<Found | undefined> {
    const { folder } = this.#options;
    const names: string[] = [];
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (!entry.isDirectory && /^[^.].*\.(ya?ml|json)$/.test(entry.name)) names.push(entry.name);
      }
    } catch (error) {
      this.#complain(folder, errorText(error));
      return undefined;
    }
    if (names.length > MANIFESTS_CAP) {
      this.#complain(folder, `it has more than ${MANIFESTS_CAP} manifests`);
      return undefined;
    }
    const found: Found = new Map();
    for (const name of names.sort()) found.set(name, await this.#readOne(name));
    return found;
  }

  async #readOne(file: string): Promise<Pod[] | undefined> {
    const { folder, nodeName } = this.#options;
    try {
      const { size } = await Deno.stat(`${folder}/${file}`);
      if (size > MANIFEST_CAP) {
        throw new AppError("RequestEntityTooLarge", `${file} is larger than ${MANIFEST_CAP} bytes`);
      }
      const text = await Deno.readTextFile(`${folder}/${file}`);
      const pods = await parseManifest(text, { file, nodeName });
      this.#complained.delete(file);
      return pods;
    } catch (error) {
      // Removed between the list and the read: the next look does not list it.
      this.#complain(file, errorText(error));
      return undefined;
    }
  }

  /** Says what is wrong once, not at every look. */
  #complain(file: string, error: string): void {
    if (this.#complained.get(file) === error) return;
    this.#complained.set(file, error);
    this.#options.log.warn("a manifest of static pods cannot be used", { file, error });
  }
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`;
}
