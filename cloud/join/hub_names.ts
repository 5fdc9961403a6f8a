import { RESOURCES } from "../../core/api/mod.ts";
import { isAppError, isHost } from "../../core/base/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import { ensureSystemNamespace, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";

/** The ConfigMap that remembers by which names nodes have reached this hub. */
const NAME = "skerry-hub-names";
/** More than this many are not remembered: a certificate must stay small. */
export const MAX_NAMES = 64;
const REF = { resource: RESOURCES.configmaps, namespace: SYSTEM_NAMESPACE, name: NAME };

/**
 * The host of a `Host` header as a certificate names it: lower case, without port and brackets;
 * `undefined` when it can stand in no certificate. Pure.
 */
export function hostOf(header: string | null): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/\s]+))(?::\d+)?$/.exec((header ?? "").toLowerCase());
  const host = (match?.[1] ?? match?.[2] ?? "").replace(/\.$/, "");
  return isHost(host) ? host : undefined;
}

/**
 * The names and addresses by which nodes with a good token have reached this hub: a public address,
 * a name behind a load balancer, an interface that came up later. The hub cannot know them by
 * itself, and a node refuses a certificate that lacks the one it dials.
 */
export class HubNames {
  readonly #store: Store;
  #names: readonly string[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Those known, in the order they came. */
  get all(): readonly string[] {
    return this.#names;
  }

  /** Reads what earlier hubs, and others of this cluster, have learnt. */
  async load(): Promise<void> {
    const found = await findObject(this.#store, REF);
    if (!found) return;
    this.#names = String(found["data"]?.names ?? "").split("\n").filter((name) => name !== "");
  }

  /** Remembers a name. Returns whether it is new; it is on disk when this resolves. */
  async add(name: string): Promise<boolean> {
    if (this.#names.includes(name) || this.#names.length >= MAX_NAMES) return false;
    const names = [...this.#names, name];
    const data = { names: names.join("\n") };
    await ensureSystemNamespace(this.#store);
    try {
      await this.#store.create(RESOURCES.configmaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: NAME, namespace: SYSTEM_NAMESPACE },
        data,
      });
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
      await this.#store.update(REF, (current) => ({ ...current, data }));
    }
    this.#names = names;
    return true;
  }
}
