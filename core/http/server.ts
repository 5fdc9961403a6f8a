import { createServer, request as httpsRequest } from "node:https";
import { AppError, ownAddress, seconds } from "../base/mod.ts";
import { pemBlocks } from "./peer.ts";
import { Connections, type ConnectionsOptions, limitsOf, listen } from "./server_connections.ts";

/** A certificate chain and its key, both PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Options of {@linkcode serveHttps}. */
export interface HttpsServerOptions extends ServingCertificate, ConnectionsOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** A listening HTTPS server. */
export interface HttpsServer {
  readonly hostname: string;
  /** The port that it listens on. */
  readonly port: number;
  /** Serves new connections with another certificate; open ones go on. */
  setCertificate(certificate: ServingCertificate): void;
  /** Resolves when the server has stopped and every connection is closed. */
  readonly finished: Promise<void>;
}

/**
 * Serves `handler` over HTTPS on node's server, because only that asks clients for certificates.
 * A client certificate is asked for and never required: who needs one says 401. Resolves when the
 * server listens. No input from outside can throw out of it.
 *
 * @throws {AppError} AlreadyExists when the port is taken, ServiceUnavailable when the address is
 * not there, naming it
 */
export async function serveHttps(options: HttpsServerOptions): Promise<HttpsServer> {
  const { hostname, clientCa } = options;
  const asksClients = clientCa === undefined
    ? {}
    : { ca: pemBlocks(clientCa), requestCert: true, rejectUnauthorized: false };
  const server = createServer({
    cert: options.cert,
    key: options.key,
    handshakeTimeout: options.timeouts?.handshake ?? seconds(10),
    ...limitsOf(options),
    ...asksClients,
  });
  const connections = new Connections(server, options);
  const port = await listen(server, hostname, options.port);
  return {
    hostname,
    port,
    setCertificate: ({ cert, key }) => server.setSecureContext({ cert, key, ...asksClients }),
    finished: connections.untilStopped(),
  };
}

/**
 * Proves at start that a client without a certificate gets 401 on `path`, because a runtime that
 * does not ask for certificates would otherwise let everybody in unseen.
 *
 * @param path one that is not public
 * @throws {AppError} InternalError when it does not
 */
export async function assertRefusesBareClients(
  server: Pick<HttpsServer, "hostname" | "port">,
  path = "/api/v1/namespaces",
): Promise<void> {
  const { hostname, port } = server;
  const host = ownAddress(hostname);
  const code = await new Promise<number>((resolve, reject) => {
    // The server's own certificate does not matter here, only whether it lets us in.
    const request = httpsRequest({
      ...{ host, port, path, agent: false },
      // Named, so that the runtime does not load the machine's own list.
      ...{ ca: [], rejectUnauthorized: false },
    });
    request.on("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on("error", (cause) =>
      reject(
        new AppError("InternalError", `the self-test cannot reach ${host}:${port}`, { cause }),
      ));
    request.end();
  });
  if (code !== 401) {
    throw new AppError(
      "InternalError",
      `a client without a certificate got ${code} on ${path} instead of 401: this runtime does ` +
        "not check client certificates; use the Deno version that the README names",
    );
  }
}
