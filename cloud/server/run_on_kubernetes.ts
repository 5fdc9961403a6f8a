import { RESOURCES } from "../../core/api/mod.ts";
import { systemClock, systemRandom, untilAborted } from "../../core/base/mod.ts";
import {
  asNode,
  impersonationMode,
  KubeClient,
  readEndpoint,
  RemoteStore,
  requestToken,
} from "../../core/kube/mod.ts";
import { type HUB_OPTIONS, type PartContext, printReady } from "../../core/parts/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import {
  clusterAuth,
  createKubeletDoor,
  kubeletClientCa,
  KubeletEndpoints,
  KubeletPorts,
  KubeletServing,
  type OpenStream,
} from "../kubelet/mod.ts";
import { type Base, createBase } from "./base.ts";

const { pods } = RESOURCES;
/** Name of the cluster for nodes that join. */
const CLUSTER = "kubernetes";
/** Ports for kubelets, from `--kubelet-port` on: more nodes than one hub holds. */
const PORTS = 10_000;

/** Runs the hub of a Kubernetes cluster: what its API server says is so, and all state is there. */
export async function runOnKubernetes(context: PartContext<typeof HUB_OPTIONS>): Promise<void> {
  const { options, log, signal } = context;
  const clock = systemClock;
  const random = systemRandom;
  const endpoint = await readEndpoint(options.kubeconfig);
  using client = new KubeClient({ endpoint, clock, random, log });
  const store = new RemoteStore({ client, clock, random });
  const mode = await impersonationMode(client, options.impersonation);
  const stores = new Map<string, Store>();
  const storeOf = (node: string): Store => {
    let known = stores.get(node);
    if (!known) {
      known = new RemoteStore({ client, clock, random, as: asNode(node, mode) });
      stores.set(node, known);
    }
    return known;
  };
  const base: Base = await createBase({
    context,
    store,
    storeOf,
    cluster: CLUSTER,
    lifecycle: false,
    issueToken: (node, request, stop) =>
      requestToken(client, request, { as: asNode(node, mode)("write", pods), signal: stop }),
    kubelet: (node) => endpoints.of(node),
    onLink: (node) => endpoints.look(node),
  });
  const { hub, supervisor } = base;
  const openStream: OpenStream = (node, header, stop) => hub.openStream(node, header, stop);
  const auth = clusterAuth(client, clock);
  const address = options["kubelet-address"];
  const serving = new KubeletServing(
    { client, mode, address, clock, log },
    base.serving,
    (credential) => ports.setCertificate(credential),
  );
  const ports = new KubeletPorts({
    hostname: options["api-address"],
    first: options["kubelet-port"],
    count: PORTS,
    clientCa: await kubeletClientCa(client),
    serving: () => serving.current,
    door: (node) => createKubeletDoor({ store, node, openStream, clock, ...auth }),
    clock,
    log,
  });
  const endpoints = new KubeletEndpoints({ store, storeOf, ports, address, clock, random, log });
  log.info("serving a cluster", { server: client.server, impersonation: mode });
  await supervisor.run([
    serving.service(),
    endpoints.service(),
    ...base.services,
    ...base.listeners,
    {
      name: "ready",
      onFailure: "restart",
      async run(stop, isReady) {
        isReady();
        printReady({
          api: client.server,
          nodes: `${options["node-address"]}:${options["node-port"]}`,
        });
        await untilAborted(stop);
      },
    },
  ], signal);
}
