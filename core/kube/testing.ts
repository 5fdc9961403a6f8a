import { connect, createServer } from "node:net";
import { type Clock, silentLogger, systemClock } from "../base/mod.ts";
import { type Handler, type HttpsServer, serveHttps } from "../http/mod.ts";
// deno-lint-ignore skerry/doors -- a kit for tests, as this file is
import { makePki, type Pki } from "../http/testing.ts";
import type { KubeEndpoint } from "./config.ts";

/** A stand-in for an API server, for tests: HTTPS on this machine, answered by a function. */
export class FakeApiServer implements AsyncDisposable {
  readonly pki: Pki;
  readonly #server: HttpsServer;
  readonly #stop: AbortController;

  private constructor(pki: Pki, server: HttpsServer, stop: AbortController) {
    this.pki = pki;
    this.#server = server;
    this.#stop = stop;
  }

  /** Starts it on a free port. */
  static async start(handler: Handler, clock: Clock = systemClock): Promise<FakeApiServer> {
    const pki = await makePki();
    const stop = new AbortController();
    const server = await serveHttps({
      hostname: "127.0.0.1",
      port: 0,
      cert: pki.server.certificate,
      key: pki.server.key,
      clientCa: pki.ca.certificate,
      handler,
      clock,
      log: silentLogger,
      signal: stop.signal,
    });
    return new FakeApiServer(pki, server, stop);
  }

  /** How the administrator reaches it. */
  get endpoint(): KubeEndpoint & { readonly ca: string } {
    return {
      server: `https://127.0.0.1:${this.#server.port}`,
      ca: this.pki.ca.certificate,
      credential: this.pki.admin,
    };
  }

  /** Stops it and closes its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("over"));
    await this.#server.finished;
  }
}

/** A way to a server that counts connections. */
export interface CountedWay extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Connections that there have been. */
  readonly count: () => number;
}

/** Passes connections on to `server` and counts them. */
export async function countedWay(server: FakeApiServer): Promise<CountedWay> {
  let count = 0;
  const port = Number(new URL(server.endpoint.server).port);
  const listener = createServer((client) => {
    count++;
    const way = connect({ host: "127.0.0.1", port });
    for (const socket of [client, way]) socket.on("error", () => socket.destroy());
    client.pipe(way).pipe(client);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
  const at = listener.address();
  return {
    port: typeof at === "object" && at ? at.port : 0,
    count: () => count,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => listener.close(() => resolve())),
  };
}

/** An answer in JSON. */
export function json(body: unknown, code = 200, headers: HeadersInit = {}): Response {
  return Response.json(body, { status: code, headers });
}

/** An error as Kubernetes answers it. */
export function status(code: number, reason: string, headers: HeadersInit = {}): Response {
  return json({ kind: "Status", apiVersion: "v1", status: "Failure", code, reason }, code, headers);
}
