import { isIP } from "node:net";
import { type Node, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  type Logger,
  ms,
  type NodeName,
  type Random,
  seconds,
  type Service,
  WorkQueue,
} from "../../core/base/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import { ADDRESSES_ANNOTATION, atHub, type KubeletEndpoint } from "../../core/sync/mod.ts";
import type { KubeletPorts } from "./ports.ts";

/** Options of {@linkcode KubeletEndpoints}. */
export interface EndpointsOptions {
  readonly store: Store;
  readonly storeOf: (node: string) => Store;
  readonly ports: KubeletPorts;
  /** Whether the node's link is at this hub. */
  readonly connected: (node: string) => boolean;
  /** Where API servers reach this hub. */
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Opens a port for every node that connects, and writes it into its Node when it says otherwise. */
export class KubeletEndpoints {
  readonly #options: EndpointsOptions;
  readonly #queue: WorkQueue;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      ...options,
      backoff: { base: ms(100), cap: seconds(30) },
    });
  }

  /** Where the kubelet of a node is reached, once its port is open. */
  of(node: string): KubeletEndpoint | undefined {
    const port = this.#options.ports.portOf(node);
    return port === undefined ? undefined : { address: this.#options.address, port };
  }

  /** A node is here, or may be. */
  look(node: string): void {
    this.#queue.add(node);
  }

  service(): Service {
    return {
      name: "kubelet-ports",
      onFailure: "restart",
      run: async (signal, ready) => {
        // Nodes of this hub's last life: whoever asks for one is told that it is away.
        const { items } = await this.#options.store.list(RESOURCES.nodes);
        for (const node of items as readonly Node[]) {
          if (isAt(node, this.#options.address)) this.#queue.add(node.metadata.name);
        }
        ready();
        await this.#queue.run((node) => this.#reconcile(node as NodeName, signal), {
          workers: 4,
          signal,
          onError: (node, error) =>
            this.#options.log[failureLevel(error)]("kubelet port not ready", {
              node,
              error: errorText(error),
            }),
        });
      },
    };
  }

  async #reconcile(name: NodeName, signal: AbortSignal): Promise<void> {
    const { store, storeOf, ports, connected } = this.#options;
    const ref = { resource: RESOURCES.nodes, name };
    const find = async () => await findObject(store, ref) as Node | undefined;
    const known = await find();
    await ports.open(name, known?.status?.daemonEndpoints?.kubeletEndpoint?.Port, signal);
    const endpoint = this.of(name);
    // One that registers from now on is written with it; one that is at another hub is that one's.
    if (!(known ?? await find()) || !endpoint || !connected(name)) return;
    const wanted = atHub(endpoint);
    await storeOf(name).update(
      ref,
      (current) => ({ ...current, status: { ...(current as Node).status, ...wanted } }),
      { subresource: "status" },
    );
  }
}

/** Whether a Node's kubelet is at `address`, by a hub's own writing. Pure. */
function isAt({ metadata, status }: Node, address: string): boolean {
  const type = isIP(address) === 0 ? "InternalDNS" : "InternalIP";
  return metadata.annotations?.[ADDRESSES_ANNOTATION] !== undefined &&
    status?.addresses?.some((one) => one.type === type && one.address === address) === true;
}
