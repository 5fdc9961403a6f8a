import type { Buffer } from "node:buffer";
import { hostAndPort, seededRandom } from "../../core/base/mod.ts";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A load balancer of TCP connections: to the backend that has fewest, of those that answer. */
export class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #backends: () => readonly number[];
  readonly #sockets = new Set<Socket>();
  readonly #random = seededRandom(7);
  /** Open connections by backend. */
  readonly #open = new Map<number, number>();
  /** Clients that came during a silence; absent when there is none. */
  #waiting: Socket[] | undefined;

  private constructor(backends: () => readonly number[]) {
    this.#backends = backends;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#take(client));
  }

  /** Listens on a free port of `host`; `backends` are ports of 127.0.0.1. */
  static async start(backends: () => readonly number[], host = "127.0.0.1"): Promise<Balancer> {
    const balancer = new Balancer(backends);
    await new Promise<void>((resolve) => balancer.#server.listen(0, host, () => resolve()));
    return balancer;
  }

  /** `host:port`. */
  get address(): string {
    const at = this.#server.address();
    return typeof at === "object" && at ? hostAndPort(at.address, at.port) : "";
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on no byte passes, and nobody is told, as when a network on the way is gone. */
  silence(): void {
    this.#waiting = [];
    for (const socket of this.#sockets) {
      for (const event of ["data", "end", "close"]) socket.removeAllListeners(event);
      socket.pause();
      socket.once("close", () => this.#sockets.delete(socket));
    }
  }

  /** New connections pass again; those from before stay mute, as behind a NAT that forgot them. */
  heal(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const client of waiting) if (!client.destroyed) this.#pass(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #take(client: Socket): void {
    this.#hold(client);
    if (this.#waiting) this.#waiting.push(client);
    else this.#pass(client);
  }

  #pass(client: Socket): void {
    const all = this.#backends();
    const first = Math.floor(this.#random() * all.length);
    const mixed = all.map((_, i) => all[(first + i) % all.length] ?? 0);
    const open = (port: number): number => this.#open.get(port) ?? 0;
    this.#dial(client, mixed.toSorted((a, b) => open(a) - open(b)));
  }

  #dial(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) return void client.destroy();
    const server = connect({ host: "127.0.0.1", port });
    this.#hold(server);
    this.#count(port, 1);
    server.once("close", () => this.#count(port, -1));
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

  #count(port: number, change: number): void {
    this.#open.set(port, (this.#open.get(port) ?? 0) + change);
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
