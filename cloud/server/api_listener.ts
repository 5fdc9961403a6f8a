import { AppError, type Clock, type Logger, type Service } from "../../core/base/mod.ts";
import {
  assertRefusesBareClients,
  type Handler,
  type HttpsServer,
  serveHttps,
} from "../../core/http/mod.ts";
import type { Credential } from "../../core/pki/mod.ts";

/** Options of {@linkcode apiListenerService}. */
export interface ApiListenerOptions extends Pick<Service, "name" | "onFailure"> {
  readonly hostname: string;
  readonly port: number;
  /** PEM of the CA that signs the clients; without it everybody is a client. */
  readonly ca: string | undefined;
  readonly serving: () => Credential;
  /** Must answer 401 to who shows no certificate, on every path but public ones. */
  readonly handler: Handler;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of the running server, to hand it new certificates. */
  readonly onServer: (server: HttpsServer) => void;
}

/** A port for clients of the Kubernetes kind: the embedded API, the kubelet door, the webhook. */
export function apiListenerService(options: ApiListenerOptions): Service {
  return {
    name: options.name,
    onFailure: options.onFailure,
    async run(signal, ready) {
      const serving = options.serving();
      const server = await serveHttps({
        hostname: options.hostname,
        port: options.port,
        cert: serving.certificate,
        key: serving.key,
        ...(options.ca === undefined ? {} : { clientCa: options.ca }),
        handler: options.handler,
        clock: options.clock,
        log: options.log,
        signal,
      });
      if (options.ca !== undefined) await assertRefusesBareClients(server);
      options.onServer(server);
      ready();
      await server.finished;
      if (!signal.aborted) throw new AppError("ServiceUnavailable", `${options.name} has stopped`);
    },
  };
}
