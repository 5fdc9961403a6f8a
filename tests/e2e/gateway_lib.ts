/** A place for end-to-end tests: hub, agents and runners as a person starts them, and kubectl. */
import {
  conditionOf,
  type KubeObject,
  type Node,
  type Pod,
  type WasmFunction,
} from "../../core/api/mod.ts";
import { ADDRESSES_ANNOTATION } from "../../core/sync/mod.ts";
import { type ApiClient, openClient } from "../../cli/client.ts";
import { envelope, guest } from "../../runner/guests.ts";
import { testWasm } from "../../runner/harness.ts";
import { type Containerd, runCommand, startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { freePort } from "../../tools/free_port.ts";
import { visitCluster } from "../../tools/kube/mod.ts";
import { findKubectl } from "../../tools/kubectl.ts";
import { type Output, ROOT, Running, runToEnd, until } from "./gateway_process_lib.ts";
import { kubeletAddress, upstreamKubeconfig } from "./upstream.ts";

/** The command that starts a part by hand, as `deno task hub|agent|runner` does. */
export function partCommand(part: string, flags: readonly string[]): string[] {
  return [
    Deno.execPath(),
    ...["run", "--quiet", "--no-prompt", "-P=launcher", `--allow-run=${Deno.execPath()}`],
    // It reads the kubeconfig, to start the hub with the right to reach that server and no other.
    ...(part === "hub" ? ["--allow-read"] : []),
    ...["cli/node.ts", part, ...flags],
  ];
}

/** A hub that runs, and its API. */
export interface HubAt {
  readonly process: Running;
  readonly nodePort: number;
  readonly kubeconfig: string;
  /** Whether it is its own API, and has no cluster. */
  readonly embedded: boolean;
}

/** An agent that runs. */
export interface AgentAt {
  readonly process: Running;
  readonly kubeconfig: string;
  readonly metricsPort: number;
}

/** How an agent is started. */
export interface AgentOptions {
  readonly hub?: string;
  readonly token?: string;
  /** Socket of the container runtime. @default {"none"} */
  readonly cri?: string;
  readonly netns?: string | undefined;
  readonly flags?: readonly string[];
}

/** One test's processes, folders and containers. Disposing it ends and removes all of them. */
export class Site implements AsyncDisposable {
  readonly folder: string;
  readonly #kubectl: string;
  readonly #held = new AsyncDisposableStack();
  readonly #processes: Running[] = [];
  readonly #ports = new Map<string, number>();
  #memory: string | undefined;
  #visiting = false;

  private constructor(folder: string, kubectl: string) {
    this.folder = folder;
    this.#kubectl = kubectl;
    this.#held.defer(() => Deno.remove(folder, { recursive: true }));
  }

  /** Runs `body` at a fresh site; when it fails, the error shows what the processes printed. */
  static async run(body: (site: Site) => Promise<void>): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "skerry-gateway-" });
    await using site = new Site(folder, await findKubectl());
    try {
      await body(site);
    } catch (error) {
      const tails = site.#processes.map(({ name, output }) =>
        `--- ${name}\n${output.split("\n").slice(-25).join("\n")}`
      );
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      throw new Error(`${text}\n${tails.join("\n")}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }

  /** Everything that was started, in that order. */
  get processes(): readonly Running[] {
    return this.#processes;
  }

  /** Something that must be ended with the site, before what was held earlier. */
  hold<T extends AsyncDisposable | Disposable>(thing: T): T {
    return this.#held.use(thing);
  }

  /** A private containerd with the test images, and a tmpfs for the secrets of its pods. */
  async containerd(): Promise<Containerd> {
    const memory = `${this.folder}/memory`;
    await Deno.mkdir(memory);
    await runCommand("mount", ["-t", "tmpfs", "-o", "mode=0700", "skerry-test", memory]);
    this.#held.defer(async () => void await runCommand("umount", ["-l", memory]));
    this.#memory = memory;
    return this.hold(await startContainerd());
  }

  /** Starts a process that ends with the site. */
  start(
    name: string,
    command: readonly string[],
    options?: ConstructorParameters<typeof Running>[2],
  ): Running {
    const process = this.hold(new Running(name, command, options));
    this.#processes.push(process);
    return process;
  }

  /** A port that stays the same for `name` as long as the site lives. */
  port(name: string): number {
    const port = this.#ports.get(name) ?? freePort();
    this.#ports.set(name, port);
    return port;
  }

  /**
   * Starts the hub where the tests' API is (`upstream.ts`); again with the same state and ports when
   * there was one. Waits until it serves.
   */
  async hub(): Promise<HubAt> {
    const cluster = upstreamKubeconfig();
    if (cluster === undefined) return await this.embeddedHub();
    if (!this.#visiting) this.hold(await visitCluster(cluster));
    this.#visiting = true;
    const address = await kubeletAddress(cluster);
    return await this.hubOn(cluster, [`--kubelet-address=${address}`, `--api-address=${address}`]);
  }

  /** Starts the hub that is its own API, whatever the upstream: for tests of that hub itself. */
  async embeddedHub(): Promise<HubAt> {
    return await this.#startHub(`${this.folder}/hub/admin.kubeconfig`, []);
  }

  /** Starts a hub that serves a cluster of the test's own. */
  async hubOn(kubeconfig: string, flags: readonly string[] = []): Promise<HubAt> {
    return await this.#startHub(kubeconfig, [`--kubeconfig=${kubeconfig}`, ...flags]);
  }

  async #startHub(kubeconfig: string, flags: readonly string[]): Promise<HubAt> {
    const process = this.start("hub", partCommand("hub", this.hubFlags(flags)));
    await process.prints(/hub is ready/);
    const embedded = !flags.some((flag) => flag.startsWith("--kubeconfig="));
    return { process, nodePort: this.port("node"), kubeconfig, embedded };
  }

  /** Starts one of several hubs of a cluster, each with ports of its own. Waits until it serves. */
  async replica(
    index: number,
    kubeconfig: string,
    flags: readonly string[] = [],
  ): Promise<HubAt> {
    const process = this.startReplica(index, kubeconfig, flags);
    await process.prints(/hub is ready/);
    const nodePort = this.port(`hub${index}-node`);
    return { process, nodePort, kubeconfig, embedded: false };
  }

  /** As {@linkcode Site.replica}, and waits for nothing. */
  startReplica(index: number, kubeconfig: string, flags: readonly string[] = []): Running {
    const port = (what: string): number => this.port(`hub${index}-${what}`);
    return this.start(
      `hub ${index}`,
      partCommand("hub", [
        ...[`--kubeconfig=${kubeconfig}`, `--state-dir=${this.folder}/hub${index}`],
        ...[`--node-port=${port("node")}`, `--metrics-port=${port("metrics")}`],
        // An address of its own, as pods have.
        ...[`--api-address=127.0.0.${index + 2}`, `--kubelet-address=127.0.0.${index + 2}`],
        ...["--peer-cidr=127.0.0.0/8", `--kubelet-port=${port("kubelet")}`],
        ...[`--webhook-port=${port("webhook")}`, ...flags],
      ]),
    );
  }

  /** The hub's options at this site. */
  hubFlags(flags: readonly string[] = []): string[] {
    return [
      ...[`--state-dir=${this.folder}/hub`, `--node-port=${this.port("node")}`],
      ...[`--api-port=${this.port("api")}`, `--metrics-port=${this.port("hub-metrics")}`],
      `--kubelet-port=${this.port("kubelet")}`,
      `--webhook-port=${this.port("webhook")}`,
      ...flags,
    ];
  }

  /** Starts the agent of `name`; again with the same state when there was one. */
  async agent(name: string, options: AgentOptions = {}): Promise<AgentAt> {
    const process = this.startAgent(name, options);
    await process.prints(/agent is ready/);
    return {
      process,
      kubeconfig: `${this.folder}/${name}/agent/api/kubeconfig`,
      metricsPort: this.port(`${name}-metrics`),
    };
  }

  /** Starts the agent of `name` and waits for nothing. */
  startAgent(name: string, options: AgentOptions = {}): Running {
    const command = partCommand("agent", this.agentFlags(name, options));
    return this.start(`agent ${name}`, command, { netns: options.netns });
  }

  /** The agent's options at this site. */
  agentFlags(name: string, options: AgentOptions = {}): string[] {
    const root = `${this.folder}/${name}`;
    return [
      ...[`--state-dir=${root}/agent`, `--name=${name}`],
      ...(options.hub === undefined ? [] : [`--hub=${options.hub}`]),
      ...(options.token === undefined ? [] : [`--token=${options.token}`]),
      ...[`--cri-socket=${options.cri ?? "none"}`, `--pod-logs=${root}/logs`],
      ...[`--runner-socket=${root}/runner/control.sock`],
      ...(this.#memory === undefined ? [] : [`--memory-dir=${this.#memory}`]),
      "--device-plugins=none",
      ...[`--manifests=${root}/manifests`, `--function-files=${root}/functions`],
      ...[`--api-port=${this.port(`${name}-api`)}`],
      ...[`--metrics-port=${this.port(`${name}-metrics`)}`],
      ...(options.flags ?? []),
    ];
  }

  /** Starts the runner of the node `name`. */
  async runner(name: string, netns?: string): Promise<Running> {
    const root = `${this.folder}/${name}/runner`;
    const process = this.start(
      `runner ${name}`,
      partCommand("runner", [
        ...[`--state-dir=${root}`, `--control-socket=${root}/control.sock`],
        `--gateway-port=${this.port(`${name}-gateway`)}`,
      ]),
      { netns },
    );
    await process.prints(/runner is ready/);
    return process;
  }

  /** Makes a join token for `node`; `flags` as of `skerry token create`. */
  async token(hub: HubAt, node: string, flags: readonly string[] = []): Promise<string> {
    return (await this.skerry(hub, ["token", "create", `--node=${node}`, ...flags])).trim();
  }

  /** Runs a verb of the command line tool. @throws {Error} when it fails */
  async skerry(hub: HubAt, args: readonly string[]): Promise<string> {
    const command = ["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts", ...args];
    return must(
      args,
      await runToEnd([Deno.execPath(), ...command, `--kubeconfig=${hub.kubeconfig}`]),
    );
  }

  /** Whether the hub has a link with `node`, which is the only one of this site. */
  async linked(hub: HubAt, node: string): Promise<boolean> {
    // A cluster's API does not know; its hub counts.
    if (!hub.embedded) {
      const metrics = await call(`http://127.0.0.1:${this.port("hub-metrics")}/metrics`);
      return /^skerry_hub_connected_nodes 1$/m.test(metrics);
    }
    using client = await openClient(hub.kubeconfig);
    const { nodes } = await client.request("GET", "/skerry/v1/status");
    return nodes.find((one: { name: string }) => one.name === node)?.connected === true;
  }

  /** Where an API server calls the kubelet of `node`. */
  async kubeletDoor(hub: HubAt, node: string): Promise<{ hostname: string; port: number }> {
    if (hub.embedded) return { hostname: "127.0.0.1", port: this.port("kubelet") };
    using client = await openClient(hub.kubeconfig);
    const { status }: Node = await client.request("GET", `/api/v1/nodes/${node}`);
    const hostname = status?.addresses?.[0]?.address ?? "";
    return { hostname, port: status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0 };
  }

  /** A small client of the API that `kubeconfig` names. */
  async client(kubeconfig: string): Promise<ApiClient> {
    return this.hold(await openClient(kubeconfig));
  }

  /** The command of a kubectl. */
  kubectlCommand(kubeconfig: string, args: readonly string[]): string[] {
    return [
      this.#kubectl,
      `--kubeconfig=${kubeconfig}`,
      `--cache-dir=${this.folder}/kubectl-cache`,
      ...args,
    ];
  }

  /** Runs kubectl to its end, whatever that is. */
  async tryKubectl(
    kubeconfig: string,
    args: readonly string[],
    options: { stdin?: string; netns?: string | undefined } = {},
  ): Promise<Output> {
    return await runToEnd(this.kubectlCommand(kubeconfig, args), {
      ...options,
      env: { HOME: this.folder },
    });
  }

  /** Runs kubectl. @throws {Error} with all that it printed, when it fails */
  async kubectl(
    kubeconfig: string,
    args: readonly string[],
    options: { stdin?: string; netns?: string | undefined } = {},
  ): Promise<string> {
    return must(["kubectl", ...args], await this.tryKubectl(kubeconfig, args, options));
  }

  /** Applies objects with kubectl. */
  async apply(kubeconfig: string, ...objects: readonly unknown[]): Promise<void> {
    const stdin = objects.map((object) => JSON.stringify(object)).join("\n");
    await this.kubectl(kubeconfig, ["apply", "-f", "-"], { stdin });
  }
}

/** Steps of a test of which each needs the one before: the first that fails ends the test. */
export function stepsOf(
  t: Deno.TestContext,
): (name: string, body: () => Promise<void>) => Promise<void> {
  return async (name, body) => {
    if (!await t.step(name, body)) throw new Error(`the step "${name}" failed`);
  };
}

function must(args: readonly string[], { code, out, err }: Output): string {
  if (code === 0) return out;
  throw new Error(`${args.join(" ")} ended with ${code}:\n${out}${err}`);
}

/** The pods of `default` that have `label` (all without). */
export async function podsOf(client: ApiClient, label = ""): Promise<Pod[]> {
  const query = label === "" ? "" : `?labelSelector=${encodeURIComponent(label)}`;
  return (await client.request("GET", `/api/v1/namespaces/default/pods${query}`)).items;
}

/** A pod of `default`, or `undefined`. */
export async function podOf(client: ApiClient, name: string): Promise<Pod | undefined> {
  return (await podsOf(client)).find((pod) => pod.metadata.name === name);
}

/** Whether all containers of a pod are ready. */
export function isReady(object: Node | Pod | undefined): boolean {
  return conditionOf(object, "Ready")?.status === "True";
}

/** Waits until a pod of `default` is ready. */
export async function readyPod(client: ApiClient, name: string, limit = 60): Promise<Pod> {
  return await until(`pod ${name} is ready`, async () => {
    const pod = await podOf(client, name);
    if (!isReady(pod)) throw new Error(JSON.stringify(pod?.status ?? "no pod"));
    return pod;
  }, limit);
}

/** The status of a node's condition `Ready`. */
export async function nodeReady(client: ApiClient, name: string): Promise<string | undefined> {
  const node: Node = await client.request("GET", `/api/v1/nodes/${name}`);
  return node.status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

/** The addresses that a gateway has itself; on a cluster its Node's own are the hub's. */
export async function addressesOf(client: ApiClient, name: string): Promise<string[]> {
  const { metadata, status }: Node = await client.request("GET", `/api/v1/nodes/${name}`);
  const told = metadata.annotations?.[ADDRESSES_ANNOTATION];
  const addresses = told === undefined ? status?.addresses : JSON.parse(told) as never;
  return (addresses ?? []).map(({ address }) => address);
}

/** Container ids and restart counts of pods, to compare before and after. */
export function containersOf(pods: readonly Pod[]): Record<string, string> {
  return Object.fromEntries(
    pods.flatMap((pod) =>
      (pod.status?.containerStatuses ?? []).map((one) => [
        `${pod.metadata.name}/${one.name}`,
        `${one.containerID} restarts=${one.restartCount}`,
      ])
    ),
  );
}

/** A pod of the test's busybox that runs a shell script. */
export function shellPod(
  name: string,
  script: string,
  spec: Readonly<Record<string, unknown>> = {},
): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: { ...shellSpec(script), ...spec },
  };
}

/** The spec of {@linkcode shellPod}, for templates. */
export function shellSpec(script: string): Record<string, unknown> {
  return {
    // The shell is process 1 and has no handler for TERM.
    terminationGracePeriodSeconds: 1,
    containers: [{
      name: "main",
      image: TEST_IMAGES.busybox,
      imagePullPolicy: "IfNotPresent",
      command: ["sh", "-c", script],
    }],
  };
}

/** A script that prints a number every 0.2 s and never ends. */
export const COUNT = "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done";

/** A function that answers every request with `text`: the ConfigMap of its module and itself. */
export function textFunction(
  name: string,
  text: string,
  spec: Readonly<Record<string, unknown>> = {},
): KubeObject[] {
  const answer = (256n << 32n) | BigInt(20 + text.length);
  const wasm = testWasm(
    guest(`(i64.const ${answer})`, `(data (i32.const 256) "${envelope(text)}")`),
  );
  const metadata = { name, namespace: "default" };
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { ...metadata, name: `${name}-module` },
      binaryData: { "module.wasm": wasm.toBase64() },
    },
    {
      apiVersion: "skerry.dev/v1alpha1",
      kind: "WasmFunction",
      metadata,
      spec: {
        source: { configMapRef: { name: `${name}-module`, key: "module.wasm" } },
        triggers: [{ http: {} }],
        ...spec,
      },
    },
  ];
}

/** Waits until a function is Ready at the API. */
export async function readyFunction(client: ApiClient, name: string): Promise<WasmFunction> {
  const path = `/apis/skerry.dev/v1alpha1/namespaces/default/wasmfunctions/${name}`;
  return await until(`function ${name} is Ready`, async () => {
    const fn: WasmFunction = await client.request("GET", path);
    const ready = fn.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True") throw new Error(JSON.stringify(fn.status ?? "no status"));
    return fn;
  });
}

/** Calls an address over HTTP from `netns` and returns `status body`. @throws {Error} */
export async function call(url: string, netns?: string): Promise<string> {
  if (netns === undefined) {
    const response = await fetch(url);
    return `${response.status} ${await response.text()}`;
  }
  const script = `const r = await fetch(${JSON.stringify(url)});` +
    "console.log(r.status, await r.text())";
  const { code, out, err } = await runToEnd([Deno.execPath(), "eval", "--quiet", script], {
    netns,
    cwd: ROOT,
  });
  if (code !== 0) throw new Error(err);
  return out.trimEnd();
}
