import {
  AppError,
  type Clock,
  isAppError,
  type Logger,
  type NodeName,
} from "../../core/base/mod.ts";
import {
  assertRefusesBareClients,
  type Handler,
  type HttpsServer,
  serveHttps,
} from "../../core/http/mod.ts";
import type { Credential } from "../../core/pki/mod.ts";

/** Ports for kubelets, from `--kubelet-port` on: more nodes than one hub holds. */
export const KUBELET_PORTS = 10_000;

/** Options of {@linkcode KubeletPorts}. */
export interface KubeletPortsOptions {
  readonly hostname: string;
  /** The ports that may be taken: this one and those after it. */
  readonly first: number;
  readonly count: number;
  /** PEM of the CAs that sign the callers. */
  readonly clientCa: string;
  readonly serving: () => Credential;
  /** What a node's port serves. */
  readonly door: (node: NodeName) => Handler;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * A port for each node: an API server calls a kubelet by address and port, and paths as
 * `/stats/summary` do not say which node is meant. A port costs 23 KiB
 * (`docs/decisions/038-kubelet-ports.md`). Once open it stays open, so that whoever asks for a node
 * that is away is told so.
 */
export class KubeletPorts {
  readonly #options: KubeletPortsOptions;
  readonly #servers = new Map<string, HttpsServer>();
  readonly #opening = new Map<string, Promise<HttpsServer>>();
  readonly #taken = new Set<number>();
  #next = 0;

  constructor(options: KubeletPortsOptions) {
    this.#options = options;
  }

  /** The port of a node, once it is open. */
  portOf(node: string): number | undefined {
    return this.#servers.get(node)?.port;
  }

  /** Serves new connections with another certificate. */
  setCertificate({ certificate, key }: Credential): void {
    for (const server of this.#servers.values()) server.setCertificate({ cert: certificate, key });
  }

  /**
   * Opens the port of a node, `wish` when it is free. Does nothing when it is open.
   *
   * @throws {AppError} ServiceUnavailable when no port is free
   */
  async open(node: NodeName, wish: number | undefined, signal: AbortSignal): Promise<number> {
    const open = this.#servers.get(node);
    if (open) return open.port;
    const opening = this.#opening.get(node) ?? this.#open(node, wish, signal);
    this.#opening.set(node, opening);
    try {
      return (await opening).port;
    } finally {
      this.#opening.delete(node);
    }
  }

  async #open(node: NodeName, wish: number | undefined, signal: AbortSignal): Promise<HttpsServer> {
    const { clock, log, hostname, clientCa, door } = this.#options;
    for (const port of this.#candidates(wish)) {
      const { certificate: cert, key } = this.#options.serving();
      this.#taken.add(port);
      try {
        const server = await serveHttps({
          ...{ hostname, port, cert, key, clientCa, clock, log, signal },
          handler: door(node),
        });
        if (this.#servers.size === 0) await assertRefusesBareClients(server, "/pods");
        this.#servers.set(node, server);
        return server;
      } catch (error) {
        // Somebody else's port stays marked, so that it is not tried for every node.
        if (!isAppError(error, "AlreadyExists")) {
          this.#taken.delete(port);
          throw error;
        }
      }
    }
    const { first, count } = this.#options;
    throw new AppError(
      "ServiceUnavailable",
      `no port from ${first} to ${first + count - 1} is free for node ${node}: give a wider range`,
    );
  }

  *#candidates(wish: number | undefined): Generator<number> {
    const { first, count } = this.#options;
    const inRange = wish !== undefined && wish >= first && wish < first + count;
    if (inRange && !this.#taken.has(wish)) yield wish;
    for (let tries = 0; tries < count; tries++) {
      const port = first + this.#next;
      this.#next = (this.#next + 1) % count;
      if (!this.#taken.has(port)) yield port;
    }
  }
}
