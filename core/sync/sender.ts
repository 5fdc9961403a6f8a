import { type Clock, errorText, isAppError, type Logger, ms } from "../base/mod.ts";
import { findResource, type KubeObject } from "../api/mod.ts";
import { LINK, type Message } from "../link/mod.ts";
import type { Store } from "../store/mod.ts";
import { leadsToVolume } from "./claims.ts";
import type { Del, Have } from "./messages.ts";
import { keyOf, type ObjectKey } from "./object_key.ts";
import { digestOf, versionOf } from "./version.ts";
import type { NodeView } from "./view.ts";

/** Options of {@linkcode Sender}. */
export interface SenderOptions {
  readonly view: NodeView;
  /** Asked before a `del`: a view may be behind, and absence from it is no evidence. */
  readonly store: Pick<Store, "list">;
  /** Sends one message; resolves with its size when there is room for more. */
  readonly send: (message: Message) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Proves to a later hub that this history has reached a version. @default {nothing is proved} */
  readonly prove?: (version: string) => string;
}

interface Held {
  readonly uid: string;
  readonly version: string;
}

/** Wait before an object that could not be read is looked at again. */
const AGAIN = ms(1000);

/**
 * Brings a node's replica to what its view says: level-triggered by key, coalescing, at most
 * `LINK.windowMessages` and `LINK.windowBytes` unacknowledged. One per session.
 */
export class Sender {
  readonly #options: SenderOptions;
  /** What the node has once everything on the way is committed there. */
  readonly #held = new Map<ObjectKey, Held>();
  readonly #dirty = new Set<ObjectKey>();
  /** Keys that the snapshot still has to look at; `undefined` when none runs. */
  #snapshot: Set<ObjectKey> | undefined;
  #unacked: { readonly seq: number; readonly size: number }[] = [];
  #unackedBytes = 0;
  #seq = 0;
  #started = false;
  #pumping = false;
  /** Keys whose object could not be read in the store just now. */
  readonly #later = new Set<ObjectKey>();
  /** Keys that wait for what the view is still looking up. */
  readonly #awaiting = new Set<ObjectKey>();
  /** Keys of what the node has and keeps, as it is not known yet whether it is to go. */
  readonly #keeping = new Set<ObjectKey>();
  #timer: Disposable | undefined;
  #stopped = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Digest of the node's view now (docs/protocol.md 4.2); `undefined` while something of it is being
   * looked up.
   */
  digest(): string | undefined {
    const { view } = this.#options;
    const keys = [...view.keys()];
    if (keys.some((key) => view.awaits(key))) return undefined;
    return digestOf(
      keys.flatMap((key) => {
        const object = view.object(key);
        const [resource = "", namespace = "", name = ""] = key.split("/");
        const uid = object?.metadata.uid;
        if (!object || uid === undefined) return [];
        return [{ uid, resource, namespace, name, version: versionOf(resource, object) }];
      }),
    );
  }

  /** The node has exactly the view: only changes follow. Call in the turn of {@linkcode digest}. */
  startSame(): void {
    const { view } = this.#options;
    for (const key of [...view.keys()]) {
      const object = view.object(key);
      if (object) this.#hold(key, object);
    }
    this.#started = true;
    this.#kick();
  }

  /** The node has `items`: the differences follow, then `snap`. */
  startHave(items: Have["items"]): void {
    for (const [uid, resource, namespace, name, version] of items) {
      this.#held.set(keyOf(resource, namespace, name), { uid, version });
    }
    this.#snapshot = new Set([...this.#options.view.keys(), ...this.#held.keys()]);
    for (const key of this.#snapshot) this.#dirty.add(key);
    this.#started = true;
    this.#kick();
  }

  /** Objects that may have changed, entered or left. */
  changed(keys: readonly ObjectKey[]): void {
    // Before the start everything is looked at anyway (`have`) or is the view of that turn (`same`).
    for (const key of keys) this.#dirty.add(key);
    // After them: what a pod waits for is sent before it.
    for (const waiting of [this.#awaiting, this.#keeping]) {
      for (const key of waiting) this.#dirty.add(key);
      waiting.clear();
    }
    this.#kick();
  }

  /** The node has committed all up to `seq`. Returns false when that was never sent. */
  ack(seq: number): boolean {
    if (seq > this.#seq) return false;
    let done = 0;
    for (const sent of this.#unacked) {
      if (sent.seq > seq) break;
      this.#unackedBytes -= sent.size;
      done++;
    }
    if (done > 0) this.#unacked.splice(0, done);
    this.#kick();
    return true;
  }

  /** How many messages the node has not acknowledged. */
  get unacked(): number {
    return this.#unacked.length;
  }

  /** Ends it; nothing is sent any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
  }

  #kick(): void {
    if (!this.#started || this.#pumping || this.#stopped) return;
    if (this.#dirty.size === 0 && !this.#snapshot) return;
    this.#pumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#stopped && !this.#windowFull()) {
        const key = this.#dirty.values().next().value;
        if (key === undefined) {
          if (!this.#snapshot || this.#later.size + this.#awaiting.size > 0) break;
          await this.#endSnapshot();
          continue;
        }
        this.#dirty.delete(key);
        const outcome = await this.#bring(key);
        if (outcome === "unread") this.#againLater(key);
        // Also what has entered since the snapshot began: it ends after all look-ups.
        if (outcome === "awaits") this.#snapshot?.add(key);
        if (outcome !== "done") continue;
        this.#snapshot?.delete(key);
        if (this.#snapshot?.size === 0) await this.#endSnapshot();
      }
    } catch (error) {
      // The session is over; the next one starts from the node's `have`.
      this.stop();
      if (!isAppError(error, "ServiceUnavailable")) {
        this.#options.log.error("sender failed", { error: errorText(error) });
        throw error;
      }
    } finally {
      this.#pumping = false;
    }
  }

  #windowFull(): boolean {
    return this.#unacked.length >= LINK.windowMessages || this.#unackedBytes >= LINK.windowBytes;
  }

  async #endSnapshot(): Promise<void> {
    this.#snapshot = undefined;
    await this.#send({ t: "snap", count: this.#held.size });
  }

  /**
   * A pod without its Secret fails at the node, and absence of a Secret from the view is no evidence
   * while it is being looked up. What the node has already must hear of its changes, and its end.
   */
  #mustWait(key: ObjectKey): boolean {
    const { view } = this.#options;
    if (this.#held.has(key) || !view.awaits(key)) return false;
    return view.object(key)?.metadata.deletionTimestamp === undefined;
  }

  /** `unread` when the store could not be asked. */
  async #bring(key: ObjectKey): Promise<"done" | "unread" | "awaits"> {
    const { view } = this.#options;
    const held = this.#held.get(key);
    if (held && held.uid !== view.object(key)?.metadata.uid) {
      if (!view.knows(key)) {
        this.#keeping.add(key);
        return "done";
      }
      const reason = await this.#reasonToDelete(key, held.uid);
      if (reason === "unknown") return "unread";
      if (reason === "lives") return "done";
      const [resource = "", namespace = "", name = ""] = key.split("/");
      this.#held.delete(key);
      const where = namespace ? { namespace } : {};
      await this.#send({ t: "del", resource, uid: held.uid, ...where, name, reason });
    }
    if (this.#mustWait(key)) {
      // In this turn: the end of the wait is told once.
      this.#awaiting.add(key);
      return "awaits";
    }
    const object = view.object(key);
    if (!object) return "done";
    const [resource = ""] = key.split("/");
    const version = versionOf(resource, object);
    if (this.#held.get(key)?.version === version) return "done";
    this.#hold(key, object);
    try {
      const { resourceVersion } = object.metadata;
      const proof = resourceVersion && this.#options.prove?.(resourceVersion);
      await this.#send({
        ...{ t: "put", resource, version, object: trim(object) },
        ...(proof ? { proof } : {}),
      });
    } catch (error) {
      if (!isAppError(error, "RequestEntityTooLarge")) throw error;
      this.#options.log.error("object is too large for the link: the node does not get it", {
        node: view.node,
        key,
        error: errorText(error),
      });
    }
    return "done";
  }

  /** `lives`: the view is behind, what the store has will come as a change. */
  async #reasonToDelete(
    key: ObjectKey,
    uid: string,
  ): Promise<Del["reason"] | "lives" | "unknown"> {
    const { store, view } = this.#options;
    // A node may not list these. The view has read them, and knows; and may have been refused only.
    if (leadsToVolume(key)) return "out-of-interest";
    const [resourceName = "", namespace = "", name = ""] = key.split("/");
    const resource = findResource(resourceName);
    if (!resource) return "lives";
    let live: KubeObject | undefined;
    try {
      // Who may watch an object by name may list it so; to get it is another right.
      const { items } = await store.list(resource, {
        ...(namespace ? { namespace } : {}),
        fieldSelector: `metadata.name=${name}`,
      });
      live = items[0];
    } catch (error) {
      // Read as the node: what it may not read any more is no interest of its either.
      const out = isAppError(error, "Forbidden") && !view.has(key);
      return out ? "out-of-interest" : "unknown";
    }
    if (live?.metadata.uid !== uid) return "deleted";
    if (view.object(key)?.metadata.uid === uid) return "lives";
    if (resourceName === "pods") {
      return live["spec"]?.nodeName === view.node ? "lives" : "out-of-interest";
    }
    return view.has(key) ? "lives" : "out-of-interest";
  }

  #againLater(key: ObjectKey): void {
    this.#later.add(key);
    this.#timer ??= this.#options.clock.timer(AGAIN, () => {
      this.#timer = undefined;
      const keys = [...this.#later];
      this.#later.clear();
      this.changed(keys);
    });
  }

  #hold(key: ObjectKey, object: KubeObject): void {
    const [resource = ""] = key.split("/");
    this.#held.set(key, {
      uid: object.metadata.uid ?? "",
      version: versionOf(resource, object),
    });
  }

  async #send(message: Message): Promise<void> {
    const seq = ++this.#seq;
    // Counted before it goes out: the ack may come back before `send` resolves.
    const entry = { seq, size: 0 };
    this.#unacked.push(entry);
    try {
      const size = await this.#options.send({ ...message, seq });
      if (!this.#unacked.includes(entry)) return;
      entry.size = size;
      this.#unackedBytes += size;
    } catch (error) {
      this.#unacked = this.#unacked.filter((other) => other !== entry);
      throw error;
    }
  }
}

/** What the node has no use for. */
function trim(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
