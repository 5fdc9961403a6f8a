import {
  addProcessMetrics,
  AppError,
  bytes,
  Metrics,
  type Ms,
  type Service,
  Supervisor,
  systemClock,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import { metricsService } from "../../core/http/mod.ts";
import { joinAdvice, loadIdentity, readFile } from "../../core/join/mod.ts";
import { createWsDialer } from "../../core/link/mod.ts";
import {
  type AGENT_OPTIONS,
  type AgentOptions,
  type PartContext,
  printReady,
  processUsage,
  VERSION,
} from "../../core/parts/mod.ts";
import { createRunnerClient, type RunnerClient } from "../../core/runnerapi/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensureLocalCredentials, localApiService, type LocalCredentials } from "../api/mod.ts";
import { createKubelet, type Kubelet, localSubresources, serveTunnel } from "../kubelet/mod.ts";
import { checkRoute } from "../check/mod.ts";
import { createLink, type Link } from "../link/mod.ts";
import {
  loadDisk,
  loadMachineFacts,
  type NodeEvent,
  onePerFamily,
  parseTaints,
} from "../node/mod.ts";
import { FunctionManager, StaticFunctions } from "../functions/mod.ts";
import { ManifestFolder } from "../manifests/mod.ts";
import type { DevicePlugins } from "../plugins/mod.ts";
import {
  buryPod,
  dropFormerDirs,
  findMemoryDir,
  parseResolvConf,
  PodManager,
  type PodReports,
  type RequestToken,
  StaticPods,
} from "../pods/mod.ts";
import { createCriRuntime, type Runtime } from "../runtimes/mod.ts";
import { statsRoutes } from "../stats/mod.ts";
import { addAgentMetrics } from "./agent_metrics.ts";
import type { Base } from "./base.ts";
import { checkContext } from "./check_context.ts";
import { createDevicePlugins } from "./device_plugins.ts";
import { JoinedIdentity, nodeNameFrom } from "./identity.ts";
import { NodeCare } from "./node_care.ts";
import { createStats, localMetrics } from "./node_stats.ts";
import { ClusterPhases, createPodApi, type PodApi } from "./pod_api.ts";
import { tellRefused } from "./refused.ts";
import { renewalService } from "./renewal.ts";
import { boundPods, strayText } from "./strays.ts";
import { endPodsFirst, machineDownSignal } from "./shutdown.ts";
import {
  type Enqueue,
  EventReports,
  functionStatusIntent,
  podReports,
  reportAll,
} from "./reports.ts";

/** Runs the agent until the process is told to stop. */
export async function runAgent(context: PartContext<typeof AGENT_OPTIONS>): Promise<void> {
  const { options, signal } = context;
  const clock = systemClock;
  const random = systemRandom;
  const facts = loadMachineFacts(clock);
  const stateDir = options["state-dir"];
  await Deno.mkdir(stateDir, { recursive: true, mode: 0o700 });
  await using held = new AsyncDisposableStack();
  const store = held.use(openSqliteStore({
    path: `${stateDir}/agent.db`,
    keyFile: `${stateDir}/keys/store.key`,
    clock,
    log: context.log,
  }));
  const folder = `${stateDir}/identity`;
  const node = loadIdentity(folder)?.node ?? nodeNameFrom(options, facts);
  const base: Base = {
    options,
    node,
    store,
    facts,
    clock,
    random,
    log: context.log.with({ node }),
  };

  const supervisor = new Supervisor({ clock, random, log: base.log });
  const runtime = options["cri-socket"] === "none" ? undefined : held.use(createCriRuntime({
    socketPath: options["cri-socket"],
    clock,
    log: base.log,
    node,
  }));
  const phases = new ClusterPhases();
  const parts: Parts = { phases, synced: options.hub === "", lastLinked: clock.monotonic() };
  const enqueue: Enqueue = (tx, intent) => parts.link?.outbox.enqueue(tx, intent);
  const events = new EventReports(enqueue, node, clock);
  const plugins = createDevicePlugins(base, runtime, () => {
    care.kick();
    parts.pods?.devicesChanged();
  });
  const isLinked = (): boolean => parts.link?.state.connected === true;
  const care: NodeCare = new NodeCare({
    ...base,
    runtime,
    pods: () => parts.pods,
    enqueue,
    events,
    engine: () => engineOf(parts),
    onAddresses: () => parts.link?.kick(),
    linked: isLinked,
    extended: () => plugins?.resources() ?? { capacity: {}, allocatable: {} },
  });
  const credentials = await ensureLocalCredentials(`${stateDir}/api`, options["api-port"], clock);
  if (options.hub !== "") parts.joined = new JoinedIdentity({ ...base, name: node, folder });
  if (runtime) {
    const { joined } = parts;
    parts.podApi = joined && held.use(createPodApi(base, phases, () => joined.credentials));
    const report = podReports(enqueue, events);
    const tell = (event: NodeEvent): void => store.transact((tx) => events.node(tx, event));
    parts.pods = await createPods(base, {
      runtime,
      parts,
      report,
      tell,
      care,
      plugins,
      credentials,
    });
  }
  const stats = createStats(base, runtime, parts.pods);
  const metrics = new Metrics();
  const routes = statsRoutes({ stats, pods: parts.pods, own: metrics });
  const kubelet = createKubelet({ node, store, clock, pods: parts.pods, runtime, routes });
  const client = held.use(createRunnerClient({ socket: options["runner-socket"], clock }));
  const functions = parts.functions = createFunctions(base, client, parts, enqueue);
  const linked = createHubLink({ ...base, events }, parts, kubelet, enqueue, folder);
  addProcessMetrics(metrics, {
    part: "agent",
    version: VERSION,
    services: () => supervisor.states(),
    usage: processUsage,
  });
  addAgentMetrics(metrics, {
    ...base,
    stateDir,
    streams: () => kubelet.streams,
    link: () => parts.link,
    lastLinked: () => parts.lastLinked,
  });
  const subresources = parts.pods ? localSubresources({ kubelet, pods: parts.pods, clock }) : [];
  await supervisor.run([
    localApiService({
      store,
      credentials,
      port: options["api-port"],
      version: VERSION,
      clock,
      log: base.log,
      subresources,
      pods: parts.pods && parts.podApi?.serve(parts.pods, subresources),
      routes: [checkRoute(checkContext(base, {
        runtime,
        services: () => supervisor.states(),
        engine: () => engineOf(parts),
        strays: () => strayText(parts.pods, base),
        link: options.hub === "" ? undefined : () => parts.link?.state ?? { connected: false },
      }))],
      resources: localMetrics(base, stats),
    }),
    ...care.services(),
    ...(parts.pods ? [parts.pods] : []),
    ...(plugins ? [plugins] : []),
    manifests(base, parts),
    functions,
    ...linked,
    ...(parts.podApi ? [parts.podApi.keeper.service()] : []),
    metricsService({
      port: options["metrics-port"],
      metrics,
      problems: () => supervisor.problems(),
      clock,
      log: base.log,
    }),
    readyService(options, credentials.kubeconfig),
  ], stopSignal(base, { signal, parts, care }));
}

/** When the services are to stop: at `signal`, after the pods that are to end before. */
function stopSignal(
  base: Base,
  around: { readonly signal: AbortSignal; readonly parts: Parts; readonly care: NodeCare },
): AbortSignal {
  const { signal, parts, care } = around;
  const { pods } = parts;
  if (!pods) return signal;
  return endPodsFirst({
    ...base,
    pods,
    onShutdown: () => care.shutDown(),
    reported: () => !parts.link?.state.connected || parts.link.outbox.isEmpty,
    machineDown: machineDownSignal(),
  }, signal);
}

/** The pieces that know each other; filled in while the agent is put together. */
interface Parts {
  readonly phases: ClusterPhases;
  link?: Link;
  /** Absent on a node without a hub. */
  joined?: JoinedIdentity;
  /** Absent on a node without a hub or without a container runtime. */
  podApi?: PodApi | undefined;
  pods?: PodManager;
  functions?: FunctionManager;
  /** Whether the store shows what the hub wants. A node alone wants what its manifests say. */
  synced: boolean;
  /** Monotonic; when the link was last seen up, or when the agent began. */
  lastLinked: Ms;
}

function engineOf(parts: Parts): string | undefined {
  const engine = parts.functions?.runner?.engine;
  return engine && `wasmtime ${engine.version}`;
}

async function createPods(
  base: Base,
  around: {
    readonly runtime: Runtime;
    readonly parts: Parts;
    readonly report: PodReports;
    readonly tell: (event: NodeEvent) => void;
    readonly care: NodeCare;
    readonly plugins: DevicePlugins | undefined;
    readonly credentials: LocalCredentials;
  },
): Promise<PodManager> {
  const { runtime, parts, report, tell, care, plugins, credentials: { ca } } = around;
  const { options, node, facts, log } = base;
  const stateDir = options["state-dir"];
  const memory = await findMemoryDir(options["memory-dir"], { node, stateDir });
  if ("dir" in memory) dropFormerDirs(options["memory-dir"], { node, stateDir });
  else {
    const advice = "mount a tmpfs there, or name one with --memory-dir";
    const refused = "pods with volumes of secrets or tokens are refused";
    log.warn(refused, { error: memory.why, advice });
    const message = `${refused}: ${memory.why}: ${advice}`;
    tell({ type: "Warning", reason: "NoMemoryForSecrets", message });
  }
  const disk = await loadDisk(stateDir);
  const resolver = parseResolvConf(readFile("/etc/resolv.conf") ?? "");
  return new PodManager({
    ...base,
    runtime,
    hostIPs: () => options["node-ip"] ? [options["node-ip"]] : onePerFamily(facts.addresses),
    synced: () => parts.synced,
    report,
    ...(options.hub === ""
      ? {}
      : { boundPods: (signal: AbortSignal) => boundPods(parts.link, signal) }),
    onStrays: (fresh) => {
      const text = fresh ? strayText(parts.pods, base) : undefined;
      if (text !== undefined) log.warn(text);
      care.kick();
    },
    onRuntime: () => care.kick(),
    devices: plugins,
    ...(options.hub === "" ? {} : { requestToken: askHubForToken(parts) }),
    onToken: () => parts.podApi?.keeper.kick(),
    ...(care.verdicts ? { verdicts: care.verdicts } : {}),
    config: {
      nodeName: node,
      stateDir,
      logDir: options["pod-logs"],
      ...("dir" in memory ? { memoryDir: memory.dir } : {}),
      ...(parts.podApi
        ? { localApi: { ca, port: options["api-port"], interfaces: Deno.networkInterfaces } }
        : {}),
      allowPrivileged: options["allow-privileged"],
      seccompDir: options["seccomp-profiles"],
      clusterDns: [],
      clusterDomain: "cluster.local",
      nodeDns: resolver,
      cpuCapacity: facts.cpus,
      memoryCapacity: facts.memory,
      storageCapacity: disk?.size ?? bytes(0),
    },
  });
}

/** The hub knows whose pods these are: it asks the cluster in the name of this node. */
function askHubForToken(parts: Parts): RequestToken {
  return async (pod, { audience, expirationSeconds }, signal) => {
    const { namespace = "default", name, uid = "" } = pod.metadata;
    if (!parts.link) throw new AppError("ServiceUnavailable", "there is no link to the hub yet");
    const asked = { namespace, pod: name, uid, audience, expirationSeconds };
    const serviceAccount = pod.spec.serviceAccountName ?? "default";
    const answer = await parts.link.call("token", { ...asked, serviceAccount }, signal);
    return answer as Awaited<ReturnType<RequestToken>>;
  };
}

function manifests(base: Base, parts: Parts): ManifestFolder {
  const { options, node: nodeName, clock } = base;
  const context = { nodeName, clock };
  return new ManifestFolder({
    ...base,
    nodeName,
    folder: options.manifests,
    handlers: [
      // Without a container runtime pods are complained about, not kept.
      ...(parts.pods ? [new StaticPods(context)] : []),
      new StaticFunctions(context),
    ],
  });
}

function createFunctions(
  base: Base,
  client: RunnerClient,
  parts: Parts,
  enqueue: Enqueue,
): FunctionManager {
  const { options, node } = base;
  return new FunctionManager({
    ...base,
    client,
    files: options["function-files"],
    cache: `${options["state-dir"]}/modules`,
    hosts: options["function-hosts"],
    synced: () => parts.synced,
    report: (tx, fn, status) => enqueue(tx, functionStatusIntent(fn, status, node)),
  });
}

function createHubLink(
  base: Base & { readonly events: EventReports },
  parts: Parts,
  kubelet: Kubelet,
  enqueue: Enqueue,
  folder: string,
): Service[] {
  const { options, node, store, clock, random, log, facts } = base;
  const { joined } = parts;
  if (!joined) return [];
  const dialer = createWsDialer({
    hub: options.hub,
    credentials: () => joined.credentials,
    clock,
  });
  const taints = parseTaints(options["register-with-taints"]);
  const tellAll = (): void => reportAll({ store, enqueue, node, taints });
  let wasUp = false;
  const link = createLink({
    dialer,
    store,
    clock,
    random,
    log,
    node,
    joinAgain: (reason) => joinAdvice({ node, hub: options.hub, reason }),
    version: VERSION,
    bootId: `${facts.bootId}.${crypto.randomUUID()}`,
    handlers: {
      onSynced: () => {
        parts.synced = true;
        tellAll();
        store.transact((tx) => parts.functions?.reportAgain(tx));
        parts.pods?.lookAgain();
        parts.functions?.lookAgain();
      },
      onReport: tellAll,
      onRefused: (intent, refusal) => tellRefused(base, intent, refusal),
      onState: () => {
        // It changes when the link comes up and when it has gone: both are the end of being linked.
        if (wasUp || link.state.connected) parts.lastLinked = clock.monotonic();
        wasUp = link.state.connected;
        parts.phases.set(link.state);
      },
      onOpen: (header, incoming, signal) =>
        serveTunnel({ kubelet, pods: parts.pods, clock }, header, incoming, signal),
      // What the hub removes explicitly is the evidence by which a running pod may be stopped.
      onDelete: (tx, { resource, uid }) => {
        if (resource === "pods") buryPod(tx, uid);
      },
    },
  });
  parts.link = link;
  return [
    joined.service(),
    joined.after({
      name: "link",
      onFailure: "restart",
      run: (signal, ready) => link.run(signal, ready),
    }),
    joined.after(renewalService({
      folder,
      identity: () => joined.identity,
      onRenewed: (renewed) => joined.set(renewed),
      call: (method, body, signal) => link.call(method, body, signal),
      clock,
      random,
      log,
    })),
  ];
}

function readyService(options: AgentOptions, kubeconfig: string): Service {
  return {
    name: "ready",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      printReady({ api: `https://127.0.0.1:${options["api-port"]}`, kubeconfig });
      await untilAborted(signal);
    },
  };
}
