import { RESOURCE_LIST } from "../../core/api/mod.ts";
import {
  addProcessMetrics,
  Metrics,
  type Service,
  Supervisor,
  systemClock,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import {
  createApi,
  createAuthenticate,
  type HttpsServer,
  metricsService,
  rbacLike,
} from "../../core/http/mod.ts";
import { loadWsAcceptor } from "../../core/link/mod.ts";
import { type HUB_OPTIONS, type PartContext, printReady, VERSION } from "../../core/parts/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { metricsApi, readNodeUsage, USAGE_PATH } from "../../core/usage/mod.ts";
import { createFunctions } from "../functions/mod.ts";
import { createGroups } from "../groups/mod.ts";
import { createHub } from "../hub/mod.ts";
import { createJoin, writeAdminKubeconfig } from "../join/mod.ts";
import { answerCall } from "./calls.ts";
import { streamSubresources } from "../../core/streaming/mod.ts";
import {
  createCallKubelet,
  createDialPod,
  createKubeletDoor,
  nodeProxySubresource,
  type OpenStream,
  podLogSubresource,
} from "../kubelet/mod.ts";
import { createNodes } from "../nodes/mod.ts";
import { createPlane, PodAdmission } from "../plane/mod.ts";
import { apiListenerService } from "./api_listener.ts";
import { nodeListenerService } from "./node_listener.ts";
import { protectNamespaces } from "./protect.ts";
import { nodeLinks, statusRoute } from "./status_route.ts";
import { tokenRoutes } from "./token_routes.ts";

/** Name of the embedded cluster, in kubeconfigs and for nodes. */
const CLUSTER = "skerry";

/** Runs the embedded hub until the process is told to stop. */
export async function runHub(context: PartContext<typeof HUB_OPTIONS>): Promise<void> {
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
  const servers: HttpsServer[] = [];
  const onServer = (server: HttpsServer): void => void servers.push(server);
  const join = await createJoin({
    store,
    clock,
    random,
    log,
    cluster: CLUSTER,
    names: options.advertise,
    onServing: ({ certificate, key }) => {
      serving = { certificate, key };
      for (const server of servers) server.setCertificate({ cert: certificate, key });
    },
    onIdentity: (node) => {
      hub.recheck(node).catch((error) => log.error("identity check failed", { node, error }));
    },
  });
  let serving = join.serving;
  const hub = createHub({
    store,
    clock,
    random,
    log,
    version: VERSION,
    identities: join.identities,
    onCall: (peer, method, body) => answerCall(join, peer, method, body),
  });
  const openStream: OpenStream = (node, header, stop) => hub.openStream(node, header, stop);
  const callKubelet = createCallKubelet(openStream);
  const acceptor = await loadWsAcceptor();
  acceptor.onConnection((connection, path) => hub.accept(connection, path));

  const supervisor = new Supervisor({ clock, random, log });
  const metrics = new Metrics();
  addProcessMetrics(metrics, {
    part: "hub",
    version: VERSION,
    services: () => supervisor.states(),
  });
  metrics.gauge("skerry_hub_connected_nodes", "Nodes whose link is up.", () => [
    { value: hub.nodes().length },
  ]);
  metrics.gauge(
    "skerry_hub_streams",
    "Streams to nodes that are open: logs, exec and others.",
    () => [
      { value: hub.streams },
    ],
  );

  const authenticate = createAuthenticate({
    refused: (fingerprint, user) => join.identities.refused(fingerprint, user),
  });
  const authorize = protectNamespaces(rbacLike());
  const door = createKubeletDoor({ store, openStream, authenticate, authorize, clock });
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
  const listener = { ca: join.ca.certificate, serving: () => serving, clock, log, onServer };
  const kubeconfig = `${options["state-dir"]}/admin.kubeconfig`;
  const ready: Service = {
    name: "ready",
    onFailure: "restart",
    async run(stop, isReady) {
      const server = `https://${options["api-address"]}:${options["api-port"]}`;
      await writeAdminKubeconfig({
        ca: join.ca,
        clock,
        server,
        cluster: CLUSTER,
        path: kubeconfig,
      });
      isReady();
      printReady({
        kubeconfig,
        api: server,
        nodes: `${options["node-address"]}:${options["node-port"]}`,
      });
      await untilAborted(stop);
    },
  };
  await supervisor.run([
    ...createPlane({
      store,
      clock,
      random,
      log,
      serviceRange: options["service-cidr"],
      beside: createGroups,
    }),
    { name: "links", onFailure: "restart", run: (stop, up) => hub.run(stop, up) },
    ...createNodes({
      store,
      clock,
      random,
      log,
      sessions: () => hub.nodes(),
      session: (node) => hub.node(node),
    }),
    ...createFunctions({ store, clock, random, log }),
    ...join.services,
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
      handler: door,
    }),
    nodeListenerService({
      ...listener,
      hostname: options["node-address"],
      port: options["node-port"],
      join: join.handle,
      acceptor,
    }),
    metricsService({
      port: options["metrics-port"],
      metrics,
      isReady: () => supervisor.ready,
    }),
    ready,
  ], signal);
}
