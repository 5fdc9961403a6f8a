import type { Buffer } from "node:buffer";
import { seededRandom } from "../../core/base/mod.ts";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A load balancer of TCP connections as a cluster's Service is one: to any backend that answers. */
export class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #backends: () => readonly number[];
  readonly #sockets = new Set<Socket>();
  readonly #random = seededRandom(7);

  private constructor(backends: () => readonly number[]) {
    this.#backends = backends;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#take(client));
  }

  /** Listens on a free port of 127.0.0.1; `backends` are ports there. */
  static async start(backends: () => readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(backends);
    await new Promise<void>((resolve) => balancer.#server.listen(0, "127.0.0.1", () => resolve()));
    return balancer;
  }

  /** `host:port`. */
  get address(): string {
    const at = this.#server.address();
    return `127.0.0.1:${typeof at === "object" && at ? at.port : 0}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #take(client: Socket): void {
    this.#hold(client);
    const all = this.#backends();
    const first = Math.floor(this.#random() * all.length);
    this.#dial(client, all.map((_, i) => all[(first + i) % all.length] ?? 0));
  }

  #dial(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) return void client.destroy();
    const server = connect({ host: "127.0.0.1", port });
    this.#hold(server);
    let up = false;
    server.once("connect", () => {
      up = true;
      client.on("data", (bytes: Buffer) => void server.write(bytes));
      server.on("data", (bytes: Buffer) => void client.write(bytes));
      client.once("end", () => server.end());
      server.once("end", () => client.end());
      client.resume();
    });
    server.once("close", () => up ? client.destroy() : this.#dial(client, others));
    client.once("close", () => server.destroy());
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
