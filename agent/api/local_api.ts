import { RESOURCE_LIST } from "../../core/api/mod.ts";
import { AppError, type Clock, type Logger, type Service } from "../../core/base/mod.ts";
import {
  assertRefusesBareClients,
  type Authorize,
  createApi,
  createAuthenticate,
  type ExtraResource,
  type ExtraRoute,
  type ExtraSubresource,
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
}

const READ = new Set(["get", "list", "watch"]);
/** They run and carry, and change no object. */
const STREAMS = new Set(["exec", "attach", "portforward"]);

/**
 * The Kubernetes API of this node on 127.0.0.1: what the hub sent and what runs here, for `kubectl`
 * and for programs on the gateway, with or without a link. Everybody needs a certificate of this
 * machine. Writes belong to the hub, or to the manifests folder of a node without one.
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
      const server = await serveHttps({
        hostname: "127.0.0.1",
        port,
        cert: options.credentials.serving.certificate,
        key: options.credentials.serving.key,
        clientCa: options.credentials.ca,
        handler: (request, info) => api.fetch(request, info),
        clock,
        log,
        signal,
      });
      await assertRefusesBareClients(server);
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
