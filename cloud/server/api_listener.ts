import { AppError, type Clock, type Logger, type Service } from "../../core/base/mod.ts";
import {
  type Api,
  assertRefusesBareClients,
  type HttpsServer,
  serveHttps,
} from "../../core/http/mod.ts";
import type { Credential } from "../../core/pki/mod.ts";

/** Options of {@linkcode apiListenerService}. */
export interface ApiListenerOptions {
  readonly hostname: string;
  readonly port: number;
  /** PEM of the CA that signs the API's clients. */
  readonly ca: string;
  readonly serving: () => Credential;
  readonly api: Api;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of the running server, to hand it new certificates. */
  readonly onServer: (server: HttpsServer) => void;
}

/** The embedded Kubernetes API, for kubectl. */
export function apiListenerService(options: ApiListenerOptions): Service {
  return {
    name: "api-listener",
    onFailure: "stop-process",
    async run(signal, ready) {
      const serving = options.serving();
      const server = await serveHttps({
        hostname: options.hostname,
        port: options.port,
        cert: serving.certificate,
        key: serving.key,
        clientCa: options.ca,
        handler: (request, info) => options.api.fetch(request, info),
        clock: options.clock,
        log: options.log,
        signal,
      });
      await assertRefusesBareClients(server);
      options.onServer(server);
      ready();
      await server.finished;
      if (!signal.aborted) throw new AppError("ServiceUnavailable", "the API has stopped");
    },
  };
}
