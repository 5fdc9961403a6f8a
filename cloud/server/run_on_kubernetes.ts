import { RESOURCES } from "../../core/api/mod.ts";
import {
  hostAndPort,
  type Logger,
  type Ms,
  seconds,
  systemClock,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import { Actor, Views } from "../../core/control/mod.ts";
import {
  asNode,
  Forwarder,
  GROUPS,
  impersonationMode,
  isKindGone,
  kindDiscovery,
  KubeClient,
  pathOf,
  readEndpoint,
  RemoteStore,
  requestToken,
} from "../../core/kube/mod.ts";
import {
  type HUB_OPTIONS,
  type HubOptions,
  type PartContext,
  printReady,
} from "../../core/parts/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { INTERESTING_SLICES } from "../../core/sync/mod.ts";
import { createGroups } from "../groups/mod.ts";
import { History } from "../history/mod.ts";
import { HubMetrics } from "../metrics/mod.ts";
import {
  clusterAuth,
  createKubeletDoor,
  KUBELET_PORTS,
  kubeletClientCa,
  KubeletEndpoints,
  KubeletPorts,
  KubeletServing,
  type OpenStream,
} from "../kubelet/mod.ts";
import { refuseForeignCa } from "../join/mod.ts";
import { leaderService, Peers, Presence } from "../replicas/mod.ts";
import { admissionHandler, groupsIn, webhookService } from "../admission/mod.ts";
import { apiListenerService } from "./api_listener.ts";
import { type Base, createBase } from "./base.ts";
import { unreachableKubelets } from "./loopback.ts";
import { ServerWatch } from "./server_watch.ts";

const { namespaces, pods } = RESOURCES;
/** Name of the cluster for nodes that join. */
const CLUSTER = "kubernetes";
/** Something small that is in every cluster, and that the hub may read. */
const KNOWN = pathOf(namespaces, { name: "kube-system" });
/** Kubernetes lets everybody ask. */
const READY = "/readyz";

/** Runs the hub of a Kubernetes cluster: what its API server says is so, and all state is there. */
export async function runOnKubernetes(context: PartContext<typeof HUB_OPTIONS>): Promise<void> {
  const { options, log, signal } = context;
  const clock = systemClock;
  const random = systemRandom;
  const endpoint = await readEndpoint(options.kubeconfig);
  const counts = new HubMetrics(clock);
  const cluster = counts.forCluster();
  using client = new KubeClient({ endpoint, clock, random, log, observe: cluster.api.observe });
  // With the CA alone: what pods ask for must not get any right of this hub.
  const tls = endpoint.ca === undefined ? {} : { ca: endpoint.ca };
  using forwarder = new Forwarder({ what: "the API server", tls, clock });
  const watch = new ServerWatch({
    probe: async (away, stop) => await client.probe(away ? READY : KNOWN, stop) === "ok",
    heard: () => client.heard,
    onChange: (away) => {
      if (away) forwarder.renew();
      base.hub.tellServer();
    },
    clock,
    log,
  });
  const history: History = new History({
    ...{ clock, log },
    store: () => store,
    secret: () => base.join.ca.key,
    onEpoch: () => base.hub.beginAnew(),
  });
  const { mark } = history;
  const store: Store = new RemoteStore({ client, clock, random, mark });
  // By which hubs know each other: whoever is late with its own counts as gone.
  const leases: Store = new RemoteStore({ client, clock, random, mark, urgent: true });
  const mode = await impersonationMode(client, options.impersonation);
  await tellMissingKinds(client, log);
  const stores = new Map<string, Store>();
  const storeOf = (node: string): Store => {
    let known = stores.get(node);
    if (!known) {
      known = new RemoteStore({ client, clock, random, mark, as: asNode(node, mode) });
      stores.set(node, known);
    }
    return known;
  };
  // Tells this process from all others, past ones too.
  const tag = crypto.getRandomValues(new Uint8Array(4)).toHex();
  const id = `${Deno.hostname()}-${tag}`.toLowerCase();
  const base: Base = await createBase({
    context,
    counts,
    store,
    storeOf,
    probe: async (stop) => await client.probe(KNOWN, stop) !== "silent",
    serverAway: () => watch.phase.away,
    selections: new Map([[RESOURCES.endpointslices, INTERESTING_SLICES]]),
    names: [options["peer-address"] || options["kubelet-address"]],
    cluster: CLUSTER,
    lifecycle: false,
    issueToken: (node, request, stop) =>
      requestToken(client, request, { as: asNode(node, mode)("write", pods), signal: stop }),
    api: { server: endpoint.server, forwarder, watch },
    onPodRequest: cluster.pods.observe,
    kubelet: (node) => endpoints.of(node),
    onLink: (node) => endpoints.look(node),
    onPeer: (connection, path) => peers.accept(connection, path),
    onForeignStream: (connection, stream) => peers.passStream(connection, stream),
    streamTag: tag,
    history,
    isSteady: () => history.isSteady(),
  });
  const { hub, supervisor } = base;
  const address = options["kubelet-address"];
  const ca = base.join.ca.fingerprint;
  const self = { id, tag, kubeletAddress: address, peer: peerOf(options), ca };
  const presence = new Presence({ store: leases, self, clock, random, log });
  await presence.refuseForeign(signal);
  await refuseForeignCa({ store, ca: base.join.ca });
  const { onPassed } = cluster;
  const peers = new Peers({ hub, store, presence, ca: base.join.ca, clock, log, onPassed });
  cluster.show({ client, presence, podRequests: base.podRequests });
  const openStream: OpenStream = (node, header, stop) => peers.openStream(node, header, stop);
  const auth = clusterAuth(client, clock);
  const serving = new KubeletServing(
    { client, mode, address, clock, log },
    base.serving,
    (credential) => ports.setCertificate(credential),
  );
  const ports = new KubeletPorts({
    hostname: options["api-address"],
    first: options["kubelet-port"],
    count: KUBELET_PORTS,
    clientCa: await kubeletClientCa(client),
    serving: () => serving.current,
    door: (node) =>
      counts.countCalls(createKubeletDoor({ store, node, openStream, clock, ...auth })),
    clock,
    log,
  });
  const endpoints = new KubeletEndpoints({
    ...{ store, storeOf, ports, address, clock, random, log },
    connected: (node) => hub.node(node) !== undefined,
  });
  // What only the leader looks at, it alone holds.
  const views = new Views({ store, clock, random, log, shared: base.views });
  const actor = new Actor(store, views);
  const groups = createGroups({
    ...{ store, views, actor, clock, random, log },
    kinds: kindDiscovery({ client, clock }),
    isKindGone: (resource, stop) => isKindGone(client, resource, stop),
    applications: options.applications === "on",
  });
  const controllers = [...base.controllers, views.service("groups-views"), ...groups];
  log.info("serving a cluster", { server: client.server, impersonation: mode });
  const unreachable = unreachableKubelets(options);
  if (unreachable) log.warn(unreachable, { server: client.server });
  await supervisor.run([
    watch.service(),
    base.views.service("views"),
    serving.service(),
    endpoints.service(),
    ...base.services,
    history.service(),
    ...presence.services(),
    webhookService({ client, ca: base.join.ca.certificate, clock, log }),
    apiListenerService({
      name: "webhook",
      onFailure: "restart",
      hostname: options["api-address"],
      port: options["webhook-port"],
      ca: undefined,
      serving: base.serving,
      onServer: base.onServer,
      handler: admissionHandler({ find: groupsIn(store), log, onReview: cluster.onReview }),
      clock,
      log,
    }),
    leaderService({
      ...{ store: leases, id, clock, random, log, services: controllers },
      onLeading: cluster.onLeading,
    }),
    ...base.listeners,
    {
      name: "ready",
      onFailure: "restart",
      async run(stop, isReady) {
        isReady();
        printReady({
          api: client.server,
          nodes: hostAndPort(options["node-address"], options["node-port"]),
        });
        await untilAborted(stop);
      },
    },
  ], drained(base, seconds(options["drain-seconds"]), signal));
}

/** When the services are to stop: at `signal`, after the nodes were sent to other hubs. */
function drained({ hub }: Base, span: Ms, signal: AbortSignal): AbortSignal {
  const stop = new AbortController();
  const end = (): void => {
    if (span === 0) return stop.abort(signal.reason);
    void hub.drain(span).finally(() => stop.abort(signal.reason));
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  return stop.signal;
}

/** Says what to do where the kinds of Skerry are not installed: nothing works before they are. */
async function tellMissingKinds(client: KubeClient, log: Logger): Promise<void> {
  const { group } = RESOURCES.wasmfunctions;
  const { groups } = await client.call({ method: "GET", path: "/apis", shape: GROUPS });
  if (groups.some(({ name }: { name: string }) => name === group)) return;
  log.error(
    "this cluster has no kinds of Skerry: kubectl apply --server-side -f charts/skerry/crds; until " +
      "then no node is let in",
    { group },
  );
}

/** `host:port` at which other hubs reach this one. */
function peerOf(options: HubOptions): string {
  const host = options["peer-address"] || options["kubelet-address"];
  return hostAndPort(host, options["node-port"]);
}
