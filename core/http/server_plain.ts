import { createServer } from "node:http";
import { Connections, type ConnectionsOptions, limitsOf, listen } from "./server_connections.ts";

/** Options of {@linkcode servePlain}. */
export interface PlainServerOptions extends Omit<ConnectionsOptions, "clientCa" | "onUpgrade"> {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/**
 * Serves `handler` over HTTP without TLS, with the same caps as HTTPS: for what holds no secret and
 * changes nothing. Resolves when the server listens.
 *
 * @throws {AppError} AlreadyExists when the port is taken, ServiceUnavailable when the address is
 * not there, naming it
 */
export async function servePlain(
  options: PlainServerOptions,
): Promise<{ readonly port: number; readonly finished: Promise<void> }> {
  const server = createServer(limitsOf(options));
  const connections = new Connections(server, options);
  const port = await listen(server, options.hostname, options.port);
  return { port, finished: connections.untilStopped() };
}
