import type { ResourceDef } from "../api/mod.ts";
import type { Impersonation, KubeCall, KubeClient } from "./client.ts";

/** Options of {@linkcode ResourceClient}. */
export interface ResourceClientOptions {
  readonly client: KubeClient;
  /** Who to be in place of the client itself for a read or write of a resource. @default {itself} */
  readonly as?: (access: "read" | "write", resource: ResourceDef) => Impersonation | undefined;
  /** Whether calls do not wait for their turn: see {@linkcode KubeCall}. @default {false} */
  readonly urgent?: boolean;
}

/** A client that makes each call as who it is to be for that resource. */
export class ResourceClient {
  readonly #options: ResourceClientOptions;

  constructor(options: ResourceClientOptions) {
    this.#options = options;
  }

  /** See {@linkcode KubeClient.call}. */
  // deno-lint-ignore no-explicit-any -- answers of any kind
  async call(resource: ResourceDef, call: KubeCall): Promise<any> {
    const { client, as, urgent = false } = this.#options;
    const whom = as?.(call.method === "GET" ? "read" : "write", resource);
    return await client.call({ ...call, ...(whom ? { as: whom } : {}), urgent });
  }

  /** See {@linkcode KubeClient.open}. */
  async open(
    resource: ResourceDef,
    call: Parameters<KubeClient["open"]>[0],
  ): Promise<ReadableStream<Uint8Array>> {
    const { client, as } = this.#options;
    const whom = as?.("read", resource);
    return await client.open(whom ? { ...call, as: whom } : call);
  }
}
