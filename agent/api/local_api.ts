import { RESOURCE_LIST } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  isAppError,
  type Logger,
  type Service,
} from "../../core/base/mod.ts";
import {
  assertRefusesBareClients,
  type Authorize,
  bearerToken,
  type ConnectionInfo,
  createApi,
  createAuthenticate,
  type ExtraResource,
  type ExtraRoute,
  type ExtraSubresource,
  type Handler,
  type HttpsServer,
  type HttpsServerOptions,
  rbacLike,
  serveHttps,
} from "../../core/http/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { LocalCredentials } from "./credentials.ts";

/** Options of {@linkcode localApiService}. */
export interface LocalApiOptions {
  readonly store: Store;
  readonly credentials: LocalCredentials;
  readonly port: number;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly subresources: readonly ExtraSubresource[];
  readonly routes: readonly ExtraRoute[];
  readonly resources: readonly ExtraResource[];
  /** Serves the pods of this node. @default {the machine's own users only} */
  readonly pods?: LocalApiPods | undefined;
}

/** How the local API serves pods. */
export interface LocalApiPods {
  /** Whether a pod that runs on this node has this address. */
  readonly hasAddress: (ip: string) => boolean;
  /** Answers requests with a bearer token. */
  readonly handler: () => Promise<Handler>;
}

const READ = new Set(["get", "list", "watch"]);
/** They run and carry, and change no object. */
const STREAMS = new Set(["exec", "attach", "portforward"]);

/** Connections at once, in all and from one address, so that no pod can shut out others. */
const MAX_CONNECTIONS = { all: 1024, each: 256 };

/**
 * The Kubernetes API of this node on 127.0.0.1: what the hub sent and what runs here, for `kubectl`
 * and for programs on the gateway, with or without a link. Everybody needs a certificate of this
 * machine. Writes belong to the hub, or to the manifests folder of a node without one.
 *
 * With `pods` it listens on all addresses for the pods of this node, by their tokens. It takes
 * connections from them and from this machine alone.
 */
export function localApiService(options: LocalApiOptions): Service {
  const { log, clock, port } = options;
  return {
    name: "local-api",
    onFailure: "stop-process",
    async run(signal, ready) {
      const api = createApi({
        store: options.store,
        resources: RESOURCE_LIST,
        authenticate: createAuthenticate(),
        authorize: readOnly(rbacLike()),
        clock,
        log,
        version: options.version,
        extensions: {
          subresources: options.subresources,
          routes: options.routes,
          resources: options.resources,
        },
      });
      const { pods } = options;
      const podsApi = await pods?.handler();
      const server = await serveWherePossible(pods ? ["::", "0.0.0.0"] : ["127.0.0.1"], {
        port,
        cert: options.credentials.serving.certificate,
        key: options.credentials.serving.key,
        clientCa: options.credentials.ca,
        handler: (request, info) => {
          if (podsApi && bearerToken(request) !== undefined) return podsApi(request, info);
          return api.fetch(request, onThisMachine(info));
        },
        maxConnections: MAX_CONNECTIONS.all,
        ...(pods
          ? {
            maxPerAddress: MAX_CONNECTIONS.each,
            admits: (remote, local) =>
              remote === local || isLoopback(remote) || pods.hasAddress(remote),
          }
          : {}),
        clock,
        log,
        signal,
      });
      await assertRefusesBareClients({ hostname: "127.0.0.1", port });
      ready();
      await server.finished;
      if (!signal.aborted) throw new AppError("ServiceUnavailable", "the local API has stopped");
    },
  };
}

function readOnly(next: Authorize): Authorize {
  return (user, attributes) => {
    const review = attributes.group === "authorization.k8s.io" ||
      attributes.group === "authentication.k8s.io";
    const stream = attributes.group === "" && attributes.resource === "pods" &&
      STREAMS.has(attributes.subresource);
    if (attributes.resource !== "" && !READ.has(attributes.verb) && !review && !stream) {
      return {
        allowed: false,
        reason:
          "this node's API is for reading: change the object at the hub, or in the manifests folder",
      };
    }
    return next(user, attributes);
  };
}

/** Listens on the first of `hostnames` that this machine has: some have no IPv6. */
async function serveWherePossible(
  hostnames: readonly string[],
  options: Omit<HttpsServerOptions, "hostname">,
): Promise<HttpsServer> {
  const [hostname = "127.0.0.1", ...others] = hostnames;
  try {
    return await serveHttps({ ...options, hostname });
  } catch (error) {
    if (others.length === 0 || !isAppError(error, "ServiceUnavailable")) throw error;
    return await serveWherePossible(others, options);
  }
}

/** A certificate of the machine is good on the machine only. */
function onThisMachine(info: ConnectionInfo): ConnectionInfo {
  if (isLoopback(info.remote ?? "")) return info;
  const { peer: _, ...rest } = info;
  return rest;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
