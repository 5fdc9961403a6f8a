import type { Node, Pod } from "../core/api/mod.ts";
import { minutes, ms, sleep, systemClock } from "../core/base/mod.ts";
import { clusterAccess } from "../core/kube/mod.ts";
import {
  AGENT_OPTIONS,
  type AgentOptions,
  HUB_OPTIONS,
  parseOptions,
  RUNNER_OPTIONS,
} from "../core/parts/mod.ts";
import { agentMain } from "../cli/agent_main.ts";
import { openClient } from "../cli/client.ts";
import { ROOT } from "../cli/launch.ts";
import { foundLibrary } from "../cli/library.ts";
import { tokenDesk } from "../cli/token_desk.ts";
import { freePort } from "../tools/free_port.ts";
import { Api } from "./api_lib.ts";
import { Part, type PartChanges } from "./part_lib.ts";

/** Name of the stand's node. */
export const NODE = "bench-node";

/** Options of {@linkcode Stand.open}. */
export interface StandOptions {
  /** CRI socket and the range of its pods; without it the agent has functions only. */
  readonly cri?: { readonly socket: string; readonly subnet: string };
  /** The cluster that the hub serves. @default {it is one itself} */
  readonly kubeconfig?: string;
  /** How hub and gateway are started; the gateway is agent and runner. */
  readonly hub?: PartChanges;
  readonly gateway?: PartChanges;
  /** Options of the agent that differ from the stand's. */
  readonly agent?: Partial<AgentOptions>;
}

/** A hub, an agent and a runner of one's own on free ports of loopback, in a temporary folder. */
export class Stand implements AsyncDisposable {
  readonly folder: string;
  readonly #options: StandOptions;
  readonly #ports: Record<
    "node" | "api" | "local" | "gateway" | "hubMetrics" | "metrics" | "kubelet" | "webhook",
    number
  >;
  readonly #held = new AsyncDisposableStack();
  #hub: Part | undefined;
  #agent: Part | undefined;
  #runner: Part | undefined;
  #api: Api | undefined;
  #kubeconfig = "";

  private constructor(folder: string, options: StandOptions) {
    this.folder = folder;
    this.#options = options;
    this.#ports = {
      node: freePort(),
      api: freePort(),
      local: freePort(),
      gateway: freePort(),
      hubMetrics: freePort(),
      metrics: freePort(),
      kubelet: freePort(),
      webhook: freePort(),
    };
  }

  /** Starts nothing yet. */
  static async open(options: StandOptions = {}): Promise<Stand> {
    return new Stand(await Deno.makeTempDir({ prefix: "skerry-bench-" }), options);
  }

  get hub(): Part {
    return known(this.#hub);
  }

  get agent(): Part {
    return known(this.#agent);
  }

  get runner(): Part {
    return known(this.#runner);
  }

  /** Client of the API that the hub serves, or whose cluster it serves. */
  get api(): Api {
    return known(this.#api);
  }

  /** Base address of the function gateway. */
  get functions(): string {
    return `http://127.0.0.1:${this.#ports.gateway}`;
  }

  /** Port of the agent's own API. */
  get localPort(): number {
    return this.#ports.local;
  }

  async startHub(): Promise<void> {
    const ports = this.#ports;
    const { kubeconfig = "" } = this.#options;
    this.#hub = this.#held.use(
      new Part({
        part: "hub",
        options: {
          ...parseOptions(HUB_OPTIONS, []),
          "state-dir": `${this.folder}/hub`,
          "node-address": "127.0.0.1",
          "node-port": ports.node,
          "api-port": ports.api,
          "kubelet-port": ports.kubelet,
          "metrics-port": ports.hubMetrics,
          "webhook-port": ports.webhook,
          kubeconfig,
        },
        ...(kubeconfig === "" ? {} : { cluster: await clusterAccess(kubeconfig) }),
      }, this.#options.hub),
    );
    const ready = await this.#hub.ready;
    this.#kubeconfig = kubeconfig || String(ready["kubeconfig"]);
    this.#api = this.#held.use(new Api(this.#kubeconfig));
  }

  async startRunner(changes?: PartChanges): Promise<void> {
    this.#runner = this.#held.use(
      new Part({
        part: "runner",
        library: foundLibrary(),
        options: {
          ...parseOptions(RUNNER_OPTIONS, []),
          "state-dir": `${this.folder}/runner`,
          "control-socket": `${this.folder}/runner/control.sock`,
          "gateway-port": this.#ports.gateway,
        },
      }, changes ?? this.#options.gateway),
    );
    await this.#runner.ready;
  }

  /** The agent's options; `alone` leaves the hub out. */
  agentOptions(alone = false): AgentOptions {
    const { cri } = this.#options;
    return {
      ...parseOptions(AGENT_OPTIONS, []),
      "state-dir": `${this.folder}/${alone ? "agent-alone" : "agent"}`,
      "hub": alone ? "" : `127.0.0.1:${this.#ports.node}`,
      "token-file": alone ? "" : `${this.folder}/token`,
      "name": NODE,
      "node-ip": "127.0.0.1",
      "cri-socket": cri?.socket ?? "none",
      "pod-cidr": cri?.subnet ?? "10.42.0.0/16",
      "runner-socket": `${this.folder}/runner/control.sock`,
      "manifests": `${this.folder}/manifests`,
      "function-files": `${this.folder}/functions`,
      "pod-logs": `${this.folder}/logs`,
      "device-plugins": "none",
      "api-port": this.#ports.local,
      "metrics-port": this.#ports.metrics,
      "stop-pods": true,
      ...this.#options.agent,
    };
  }

  /** Starts the agent; resolves when its link is up and its node is Ready at the hub. */
  async startAgent(changes?: PartChanges): Promise<void> {
    const main = await agentMain(ROOT);
    const spec = { part: "agent", options: this.agentOptions(), main } as const;
    this.#agent = this.#held.use(new Part(spec, changes ?? this.#options.gateway));
    await this.#agent.ready;
    await this.#untilLinked(this.#agent);
    await this.#untilReady();
  }

  /** Joins the node: an agent's first start with a token, ended when the node is Ready. */
  async join(): Promise<void> {
    using client = await openClient(this.#kubeconfig);
    const desk = await tokenDesk(client);
    const token = await desk.create({ node: NODE, ttl: minutes(10), uses: 1 });
    await Deno.writeTextFile(`${this.folder}/token`, token, { mode: 0o600 });
    await this.startAgent();
    await this.agent.stop();
  }

  /** A node that was Ready before a restart still looks so: its link says more. */
  async #untilLinked(agent: Part): Promise<void> {
    for (let tries = 0; tries < 300; tries++) {
      const answer = await fetch(`http://127.0.0.1:${this.#ports.metrics}/metrics`).catch(() => {});
      if (/^skerry_agent_link_up 1$/m.test(await answer?.text() ?? "")) return;
      await sleep(systemClock, ms(50));
    }
    throw new Error(`the link is not up after 15 s:\n${agent.log()}`);
  }

  async #untilReady(): Promise<void> {
    await this.api.until(`/api/v1/nodes`, (object) => {
      const { status } = object as Node;
      return status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false;
    });
  }

  /** Creates pods and resolves when all run, as the API shows it. */
  async runPods(pods: readonly Pod[], limit = 90): Promise<void> {
    const missing = new Set(pods.map((pod) => pod.metadata.name));
    const seen = this.api.until("/api/v1/namespaces/default/pods", (object) => {
      const pod = object as Pod;
      if (pod.status?.phase === "Running") missing.delete(pod.metadata.name);
      return missing.size === 0;
    }, limit);
    for (const pod of pods) {
      await this.api.request("POST", "/api/v1/namespaces/default/pods", pod);
    }
    await seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("Cannot use a part before it was started");
  return value;
}
