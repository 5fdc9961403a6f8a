import { RESOURCE_LIST } from "../../core/api/mod.ts";
import {
  hostAndPort,
  type Service,
  systemClock,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import { createApi, createAuthenticate, rbacLike } from "../../core/http/mod.ts";
import { type HUB_OPTIONS, type PartContext, printReady, VERSION } from "../../core/parts/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { streamSubresources } from "../../core/streaming/mod.ts";
import { metricsApi, readNodeUsage, USAGE_PATH } from "../../core/usage/mod.ts";
import { createGroups } from "../groups/mod.ts";
import { writeAdminKubeconfig } from "../join/mod.ts";
import { HubMetrics } from "../metrics/mod.ts";
import {
  createCallKubelet,
  createDialPod,
  createKubeletDoor,
  nodeProxySubresource,
  type OpenStream,
  podLogSubresource,
} from "../kubelet/mod.ts";
import { createPlane, PodAdmission } from "../plane/mod.ts";
import { apiListenerService } from "./api_listener.ts";
import { type Base, createBase } from "./base.ts";
import { protectNamespaces } from "./protect.ts";
import { nodeLinks, statusRoute } from "./status_route.ts";
import { tokenRoutes } from "./token_routes.ts";

/** Name of the embedded cluster, in kubeconfigs and for nodes. */
const CLUSTER = "skerry";

/** Runs the hub that is its own Kubernetes: store, API, scheduler and controllers. */
export async function runEmbedded(context: PartContext<typeof HUB_OPTIONS>): Promise<void> {
  const { options, log, signal } = context;
  const clock = systemClock;
  const random = systemRandom;
  await Deno.mkdir(options["state-dir"], { recursive: true, mode: 0o700 });
  using store = openSqliteStore({
    path: `${options["state-dir"]}/hub.db`,
    keyFile: `${options["state-dir"]}/keys/store.key`,
    clock,
    checkNamespaces: true,
    log,
  });
  const counts = new HubMetrics(clock);
  const base = await createBase({
    ...{ context, counts, store },
    names: [],
    cluster: CLUSTER,
    lifecycle: true,
  });
  const { hub, join, onServer, serving, supervisor } = base;
  const openStream: OpenStream = (node, header, stop) => hub.openStream(node, header, stop);
  const callKubelet = createCallKubelet(openStream);
  const authenticate = createAuthenticate({
    refused: (fingerprint, user) => join.identities.refused(fingerprint, user),
  });
  const authorize = protectNamespaces(rbacLike());
  const api = createApi({
    store: new PodAdmission(store),
    resources: RESOURCE_LIST,
    authenticate,
    authorize,
    clock,
    log,
    version: VERSION,
    extensions: {
      resources: metricsApi(
        async (node, stop) => readNodeUsage(node, await callKubelet(node, USAGE_PATH, stop)),
        clock,
      ),
      subresources: [
        podLogSubresource(openStream),
        ...streamSubresources(createDialPod(openStream), clock),
        nodeProxySubresource(callKubelet),
      ],
      routes: [
        ...tokenRoutes(join.tokens, clock),
        statusRoute({
          version: VERSION,
          services: () => supervisor.states(),
          nodes: () => nodeLinks(store, hub),
        }),
      ],
    },
  });
  const listener = { ca: join.ca.certificate, serving, clock, log, onServer };
  await supervisor.run([
    base.views.service("views"),
    ...createPlane({
      ...{ store, clock, random, log, views: base.views },
      serviceRange: options["service-cidr"],
      beside: createGroups,
    }),
    ...base.services,
    ...base.controllers,
    apiListenerService({
      ...listener,
      name: "api-listener",
      onFailure: "stop-process",
      hostname: options["api-address"],
      port: options["api-port"],
      handler: api.fetch,
    }),
    apiListenerService({
      ...listener,
      name: "kubelet-door",
      // Nodes and kubectl do without it.
      onFailure: "restart",
      hostname: options["api-address"],
      port: options["kubelet-port"],
      handler: counts.countCalls(
        createKubeletDoor({ store, openStream, authenticate, authorize, clock }),
      ),
    }),
    ...base.listeners,
    readyService(context, base),
  ], signal);
}

/** Started last: tells that all of it serves, and where. */
function readyService(
  { options }: PartContext<typeof HUB_OPTIONS>,
  { join }: Pick<Base, "join">,
): Service {
  return {
    name: "ready",
    onFailure: "restart",
    async run(stop, isReady) {
      const server = `https://${hostAndPort(options["api-address"], options["api-port"])}`;
      const kubeconfig = `${options["state-dir"]}/admin.kubeconfig`;
      await writeAdminKubeconfig({
        ca: join.ca,
        clock: systemClock,
        server,
        cluster: CLUSTER,
        path: kubeconfig,
      });
      isReady();
      printReady({
        kubeconfig,
        api: server,
        nodes: hostAndPort(options["node-address"], options["node-port"]),
      });
      await untilAborted(stop);
    },
  };
}
