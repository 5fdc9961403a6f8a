import {
  type Metrics,
  type Service,
  Supervisor,
  systemClock,
  systemRandom,
} from "../../core/base/mod.ts";
import { type HttpsServer, metricsService } from "../../core/http/mod.ts";
import { CLOSE, type Connection, loadWsAcceptor } from "../../core/link/mod.ts";
import { type HUB_OPTIONS, type PartContext, VERSION } from "../../core/parts/mod.ts";
import { Views, type ViewsOptions } from "../../core/control/mod.ts";
import type { Credential } from "../../core/pki/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { createFunctions } from "../functions/mod.ts";
import { createHub, type Hub, type HubOptions } from "../hub/mod.ts";
import { createJoin, type Join, type JoinOptions } from "../join/mod.ts";
import { expiryOf, type HubMetrics } from "../metrics/mod.ts";
import { createNodes } from "../nodes/mod.ts";
import { PEER_PATH } from "../replicas/mod.ts";
import { answerCall, type IssueToken } from "./calls.ts";
import { nodeListenerService } from "./node_listener.ts";
import { NodeRequests, type NodeRequestsOptions } from "./node_requests.ts";
import { Readiness } from "./readiness.ts";

/** Options of {@linkcode createBase}. */
export interface BaseOptions
  extends
    Pick<ViewsOptions, "selections">,
    Pick<JoinOptions, "isSteady">,
    Pick<
      HubOptions,
      | "storeOf"
      | "kubelet"
      | "onLink"
      | "onForeignStream"
      | "streamTag"
      | "history"
      | "probe"
      | "serverAway"
    > {
  readonly context: PartContext<typeof HUB_OPTIONS>;
  /** Counts what happens. */
  readonly counts: HubMetrics;
  readonly store: Store;
  /** Names and addresses by which others than nodes reach this hub. */
  readonly names: readonly string[];
  /** Name of the cluster, in kubeconfigs and for nodes. */
  readonly cluster: string;
  /** Serves another hub of the cluster that wants a stream to a node. @default {there is none} */
  readonly onPeer?: (connection: Connection, path: string) => void;
  /** Has the cluster issue service account tokens. @default {none are issued} */
  readonly issueToken?: IssueToken;
  /** The API server that requests of pods are passed on to. @default {there is none} */
  readonly api?: NodeRequestsOptions["api"];
  /** Told what comes of those requests. @default {nobody counts} */
  readonly onPodRequest?: NodeRequestsOptions["observe"];
  /** Judge nodes by their Leases: where Kubernetes does not do that itself. */
  readonly lifecycle: boolean;
}

/** What every hub has, whoever serves its API: nodes join, and hold their links. */
export interface Base {
  /** What it sees of the cluster, for whoever else wants to see. Run them before all services. */
  readonly views: Views;
  readonly join: Join;
  readonly hub: Hub;
  readonly metrics: Metrics;
  /** Requests of pods that are passed on now. */
  readonly podRequests: () => number;
  readonly supervisor: Supervisor;
  /** The hub's own certificate, to serve with now. */
  readonly serving: () => Credential;
  /** Hands every new certificate of the hub to a server. */
  readonly onServer: (server: HttpsServer) => void;
  /** Links, Leases, identities. */
  readonly services: readonly Service[];
  /** What one hub of a cluster does for all. */
  readonly controllers: readonly Service[];
  /** The port for nodes, and the one of metrics: started last. */
  readonly listeners: readonly Service[];
}

/** Makes the parts that every hub has. Nothing runs yet. */
export async function createBase(options: BaseOptions): Promise<Base> {
  const { context: { options: flags, log }, store, lifecycle, counts } = options;
  const clock = systemClock;
  const random = systemRandom;
  const servers: HttpsServer[] = [];
  const views = new Views({ ...options, clock, random, log });
  const join = await createJoin({
    ...{ store, views },
    clock,
    random,
    log,
    cluster: options.cluster,
    ...(options.isSteady ? { isSteady: options.isSteady } : {}),
    names: [...flags.advertise, ...options.names],
    onServing: (credential) => {
      serving = credential;
      const { certificate, key } = credential;
      for (const server of servers) server.setCertificate({ cert: certificate, key });
    },
    onIdentity: (node) => {
      for (const part of [hub, requests]) {
        part?.recheck(node).catch((error) => log.error("identity check failed", { node, error }));
      }
    },
  });
  let serving: Credential = join.serving;
  const issueToken = options.issueToken && counts.countTokens(options.issueToken);
  const hub = createHub({
    ...options,
    ...{ views, clock, random, log },
    version: VERSION,
    identities: join.identities,
    observe: counts,
    onCall: (peer, method, body, signal) =>
      answerCall({ join, issueToken, store }, peer, { method, body, signal }),
  });
  const { api } = options;
  const requests = api && new NodeRequests({
    ...{ api, clock, identities: join.identities, observe: options.onPodRequest },
    session: (node) => hub.gone(node),
  });
  const acceptor = await loadWsAcceptor();
  acceptor.onConnection((connection, path) => {
    if (!PEER_PATH.test(path)) return hub.accept(connection, path);
    if (options.onPeer) return options.onPeer(connection, path);
    connection.close(CLOSE.protocol, "this hub has no others");
  });
  const supervisor = new Supervisor({ clock, random, log });
  const readiness = new Readiness(() => supervisor.states());
  const onServer = (server: HttpsServer): void => void servers.push(server);
  counts.show({ hub, supervisor, expiry: expiryOf(() => serving) });
  const { metrics } = counts;
  return {
    views,
    join,
    hub,
    metrics,
    podRequests: () => requests?.open ?? 0,
    supervisor,
    serving: () => serving,
    onServer,
    services: [
      { name: "links", onFailure: "restart", run: (stop, up) => hub.run(stop, up) },
      ...createNodes({
        ...options,
        ...{ views, clock, random, log },
        lifecycle,
        observe: counts,
        sessions: () => hub.nodes(),
        session: (node) => hub.node(node),
      }),
      ...join.services,
    ],
    controllers: [createFunctions({ store, views, clock, random, log })],
    listeners: [
      nodeListenerService({
        ca: join.ca.certificate,
        serving: () => serving,
        clock,
        log,
        onServer,
        hostname: flags["node-address"],
        port: flags["node-port"],
        join: join.handle,
        requests,
        acceptor,
      }),
      metricsService({
        hostname: flags["metrics-address"],
        port: flags["metrics-port"],
        metrics,
        problems: () => [
          ...readiness.problems(),
          ...(hub.draining ? ["this hub takes no nodes any more"] : []),
        ],
        clock,
        log,
      }),
    ],
  };
}
