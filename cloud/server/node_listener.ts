import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { AppError, type Clock, type Logger, seconds, type Service } from "../../core/base/mod.ts";
import {
  assertRefusesBareClients,
  type ConnectionInfo,
  errorResponse,
  type Handler,
  type HttpsServer,
  serveHttps,
} from "../../core/http/mod.ts";
import { LINK, type WsAcceptor } from "../../core/link/mod.ts";
import { type Credential, HUB_NAME, nodeNameOf } from "../../core/pki/mod.ts";
import { HUBS_GROUP, PEER_PATH } from "../replicas/mod.ts";
import { KUBE_PATH, type NodeRequests } from "./node_requests.ts";

/** Options of {@linkcode nodeListenerService}. */
export interface NodeListenerOptions {
  readonly hostname: string;
  readonly port: number;
  /** PEM of the hub's CA: signs the nodes and stands in the chain that a joining node hashes. */
  readonly ca: string;
  /** The serving certificate to use now. */
  readonly serving: () => Credential;
  readonly join: Handler;
  /** Passes requests of pods on to the cluster's API server. @default {there is none} */
  readonly requests?: Pick<NodeRequests, "answer"> | undefined;
  readonly acceptor: WsAcceptor;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of the running server, to hand it new certificates. */
  readonly onServer: (server: HttpsServer) => void;
}

/** Who joins has no certificate yet, and needs seconds. */
const STRANGERS = { most: 1024, perAddress: 128, life: seconds(30) };
/** What nodes may ask for. */
const NODE_PATHS = /^\/v1\/(link|stream\/[A-Za-z0-9_-]+)$/;

/**
 * The port that nodes connect to (docs/protocol.md 1): `POST /join` for anybody with a token, the
 * link and requests of pods for nodes whose certificate verifies, and streams for other hubs of the
 * cluster. Everything else is refused.
 */
export function nodeListenerService(options: NodeListenerOptions): Service {
  return {
    name: "node-listener",
    onFailure: "stop-process",
    async run(signal, ready) {
      const serving = options.serving();
      const server = await serveHttps({
        hostname: options.hostname,
        port: options.port,
        cert: `${serving.certificate}${options.ca}`,
        key: serving.key,
        clientCa: options.ca,
        clock: options.clock,
        log: options.log,
        signal,
        maxConnections: LINK.connections,
        strangers: STRANGERS,
        timeouts: { handshake: LINK.answerTimeout, head: LINK.answerTimeout },
        handler: (request, info) => answer(options, request, info),
        onUpgrade: (message, socket, head, info) => upgrade(options, message, socket, head, info),
      });
      await assertRefusesBareClients(server, "/v1/link");
      options.onServer({
        ...server,
        setCertificate: ({ cert, key }) =>
          server.setCertificate({ cert: `${cert}${options.ca}`, key }),
      });
      ready();
      await server.finished;
      if (!signal.aborted) throw new AppError("ServiceUnavailable", "the node port has stopped");
    },
  };
}

/**
 * Plain requests: `POST /join`, and those of pods by their node; the rest is 401 without a
 * certificate, 404 with one.
 */
function answer(
  options: NodeListenerOptions,
  request: Request,
  info: ConnectionInfo,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/join") return options.join(request, info);
  const name = info.peer && nodeNameOf(info.peer);
  if (info.peer && name !== undefined && pathname.startsWith(KUBE_PATH)) {
    if (options.requests) {
      const { fingerprint, issuedAt } = info.peer;
      return options.requests.answer(request, { name, fingerprint, issuedAt }, info.signal);
    }
    const none = "this hub serves no cluster's API server: its pods have no service account tokens";
    return Promise.resolve(errorResponse(new AppError("Unsupported", none)));
  }
  const refused = info.peer
    ? new AppError("NotFound", "this port serves POST /join and the link of nodes")
    : new AppError("Unauthorized", "this port needs a node's certificate: join first");
  return Promise.resolve(errorResponse(refused));
}

function upgrade(
  options: NodeListenerOptions,
  message: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
  info: ConnectionInfo,
): void {
  const { peer } = info;
  const node = peer &&
    nodeNameOf({ commonName: peer.commonName, organizations: peer.organizations });
  const name = node ?? (peer?.organizations.includes(HUBS_GROUP) ? HUB_NAME : undefined);
  // What one may ask for is nothing for the other.
  const paths = node === undefined ? PEER_PATH : NODE_PATHS;
  if (!peer || name === undefined || !paths.test(message.url ?? "")) {
    const [code, text] = name === undefined ? [401, "Unauthorized"] : [404, "Not Found"];
    socket.end(`HTTP/1.1 ${code} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    return;
  }
  options.acceptor.upgrade(message, socket, head, {
    name,
    fingerprint: peer.fingerprint,
    issuedAt: peer.issuedAt,
    remote: info.remote ?? "",
  });
}
