import { parse, stringify } from "yaml";
import { ms, seconds, sleep, systemClock } from "../../core/base/mod.ts";
import type { KubePrograms } from "./build.ts";
import { makeCertificates } from "./certificates.ts";
import {
  commandOf,
  type CommandPlace,
  type Component,
  COMPONENTS,
  type KubePorts,
} from "./commands.ts";
import { freePort } from "../free_port.ts";

/** Longest time until a part answers. */
const START_LIMIT = seconds(60);
/** How long a part may take to end by itself; the server waits for its watches for a minute. */
const STOP_LIMIT = seconds(2);
/** How long the system may take to end one that is killed: until then it holds its ports and data. */
const KILL_LIMIT = seconds(60);

/** Options of {@linkcode KubeCluster.start}. */
export interface KubeClusterOptions {
  /** User whose requests are written down in `audit.log`. @default {nobody's} */
  readonly auditOf?: string;
  /** Feature gates of the API server, e.g. `ConstrainedImpersonation=false`. @default {its own} */
  readonly featureGates?: string;
  /** Seconds after which a node whose Lease is not renewed is lost. @default {Kubernetes' own} */
  readonly nodeGrace?: number;
}

/** What is written down of one user's requests: who asked whom for what, and how it ended. */
function auditPolicy(user: string) {
  return {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [{ level: "Metadata", users: [user] }, { level: "None" }],
  };
}

/** A control plane of one's own: etcd, API server, controllers and scheduler on free ports. */
export class KubeCluster implements AsyncDisposable {
  /** Holds all of it: keys, data, logs, kubeconfigs, process ids. */
  readonly dir: string;
  readonly programs: KubePrograms;
  readonly #place: CommandPlace;

  private constructor(place: CommandPlace) {
    this.dir = place.dir;
    this.programs = place.programs;
    this.#place = place;
  }

  /** The control plane of a folder, whether it runs or not; a new folder gets keys and ports. */
  static async at(
    programs: KubePrograms,
    dir: string,
    options: KubeClusterOptions = {},
  ): Promise<KubeCluster> {
    await Deno.mkdir(`${dir}/data`, { recursive: true, mode: 0o700 });
    const known = await Deno.readTextFile(`${dir}/ports.json`).catch(() => undefined);
    const ports: KubePorts = known === undefined ? freePorts() : JSON.parse(known);
    const { auditOf, nodeGrace, featureGates = "" } = options;
    const audit = auditOf !== undefined;
    const cluster = new KubeCluster({ dir, programs, ports, audit, featureGates, nodeGrace });
    if (auditOf !== undefined) {
      await Deno.writeTextFile(`${dir}/audit.yaml`, stringify(auditPolicy(auditOf)));
    }
    if (known !== undefined) return cluster;
    await makeCertificates(dir, cluster.server);
    await Deno.writeTextFile(`${dir}/ports.json`, JSON.stringify(ports));
    return cluster;
  }

  /**
   * Starts the control plane of `dir`, or goes on with one that runs. Resolves when pods can be made.
   *
   * @throws {Error} when a part does not answer in time; the message holds the end of its log
   */
  static async start(
    programs: KubePrograms,
    dir: string,
    options: KubeClusterOptions = {},
  ): Promise<KubeCluster> {
    const cluster = await KubeCluster.at(programs, dir, options);
    try {
      for (const component of COMPONENTS) await cluster.start(component);
      await cluster.#untilPodsCanBeMade();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Address of the API server. */
  get server(): string {
    return `https://127.0.0.1:${this.#place.ports.apiserver}`;
  }

  /** Path of the administrator's kubeconfig. */
  get kubeconfig(): string {
    return `${this.dir}/admin.kubeconfig`;
  }

  /** Process id of a part that runs. */
  async pid(component: Component): Promise<number | undefined> {
    const text = await Deno.readTextFile(`${this.dir}/${component}.pid`).catch(() => "");
    const pid = Number(text);
    if (!Number.isSafeInteger(pid) || pid < 2) return undefined;
    // Another process may have the number by now. One that is ending holds its ports until the last
    // of its threads is gone, long after it has no command line any more.
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    const [, name, rest = ""] = /^\d+ \((.*)\) (.*)/.exec(stat) ?? [];
    const [state, ...others] = rest.split(" ");
    const threads = Number(others[16]);
    const runs = name === nameOf(component) && (state !== "Z" || threads > 1);
    return runs ? pid : undefined;
  }

  /** Starts one part, unless it runs; resolves when it answers. */
  async start(component: Component): Promise<void> {
    if (await this.pid(component) === undefined) await this.#spawn(component);
    await this.#until(async () => {
      if (await this.#answers(component)) return true;
      if (await this.pid(component) !== undefined) return false;
      throw new Error(`${component} in ${this.dir} has ended:\n${await this.log(component)}`);
    }, component);
  }

  /** Ends one part, or all in turn: by itself, and after two seconds at once. */
  async stop(component?: Component): Promise<void> {
    if (component === undefined) {
      for (const one of COMPONENTS.toReversed()) await this.stop(one);
      return;
    }
    const pid = await this.pid(component);
    if (pid === undefined) return;
    for (const [signal, wait] of [["SIGTERM", STOP_LIMIT], ["SIGKILL", KILL_LIMIT]] as const) {
      this.#signal(pid, "SIGCONT");
      this.#signal(pid, signal);
      const limit = systemClock.monotonic() + wait;
      while (await this.pid(component) !== undefined && systemClock.monotonic() < limit) {
        await sleep(systemClock, ms(20));
      }
    }
    await Deno.remove(`${this.dir}/${component}.pid`).catch(() => {});
  }

  /** Has etcd forget all but the latest, after writes that no client has seen. */
  async compactHistory(): Promise<void> {
    // By its JSON gateway.
    const ask = async (path: string, body: unknown) => {
      const url = `http://127.0.0.1:${this.#place.ports.etcd}/v3/kv/${path}`;
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) throw new Error(`etcd answered ${path} with ${text}`);
      return JSON.parse(text);
    };
    for (let i = 0; i < 10; i++) await ask("put", { key: btoa("elsewhere"), value: btoa(`${i}`) });
    const { header } = await ask("range", { key: btoa("elsewhere") });
    await ask("compaction", { revision: header.revision, physical: true });
  }

  /** Sends a signal to a part, e.g. SIGSTOP. */
  async signal(component: Component, signal: Deno.Signal): Promise<void> {
    const pid = await this.pid(component);
    if (pid === undefined) throw new Error(`${component} does not run`);
    this.#signal(pid, signal);
  }

  /** The end of a part's log. */
  async log(component: Component): Promise<string> {
    const text = await Deno.readTextFile(`${this.dir}/${component}.log`).catch(() => "");
    return text.split("\n").slice(-20).join("\n");
  }

  /** Ends all of it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.dir, { recursive: true });
  }

  async #spawn(component: Component): Promise<void> {
    const command = commandOf(component, this.#place);
    // A session of its own, so that Ctrl-C on a test does not reach it; the shell sends the output to
    // a file, which outlives the process that started it, and tells who it has become.
    const script = 'dir="$0"; name="$1"; shift; echo $$ >"$dir/$name.pid"; ' +
      'exec "$@" >>"$dir/$name.log" 2>&1 </dev/null';
    await new Deno.Command("setsid", {
      args: ["--fork", "sh", "-c", script, this.dir, component, ...command],
      // Go collects less often: some 100 MiB more, and a quarter less of a processor.
      env: { GOGC: "400" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    await this.#until(async () => await this.pid(component) !== undefined, component);
  }

  async #until(holds: () => Promise<boolean>, component: Component): Promise<void> {
    const limit = systemClock.monotonic() + START_LIMIT;
    while (!await holds()) {
      if (systemClock.monotonic() > limit) {
        const log = await this.log(component);
        throw new Error(`${component} in ${this.dir} is not there after a minute:\n${log}`);
      }
      await sleep(systemClock, ms(50));
    }
  }

  async #answers(component: Component): Promise<boolean> {
    const { etcd, controllerManager, scheduler } = this.#place.ports;
    switch (component) {
      case "etcd":
        return await isOk(`http://127.0.0.1:${etcd}/health`);
      // Controllers that start before the server is ready end for good.
      case "apiserver":
        return await this.#get("/readyz");
      case "controller-manager":
        return await accepts(controllerManager);
      case "scheduler":
        return await accepts(scheduler);
    }
  }

  /** Pods need the account that the controllers make in their namespace. */
  async #untilPodsCanBeMade(): Promise<void> {
    const path = "/api/v1/namespaces/default/serviceaccounts/default";
    await this.#until(() => this.#get(path), "controller-manager");
  }

  async #get(path: string): Promise<boolean> {
    const { clusters, users } = parse(await Deno.readTextFile(this.kubeconfig));
    using client = Deno.createHttpClient({
      caCerts: [atob(clusters[0].cluster["certificate-authority-data"])],
      cert: atob(users[0].user["client-certificate-data"]),
      key: atob(users[0].user["client-key-data"]),
    });
    return await isOk(`${this.server}${path}`, client);
  }

  #signal(pid: number, signal: Deno.Signal): void {
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** What the system calls the process of a part: 15 characters at most. */
function nameOf(component: Component): string {
  const program = component === "etcd" ? component : `kube-${component}`;
  return program.slice(0, 15);
}

async function isOk(url: string, client?: Deno.HttpClient): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(5000);
    const response = await fetch(url, { signal, ...(client ? { client } : {}) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Ports that were free a moment ago. */
function freePorts(): KubePorts {
  const [apiserver = 0, etcd = 0, etcdPeer = 0, controllerManager = 0, scheduler = 0] = Array.from(
    { length: 5 },
    freePort,
  );
  return { apiserver, etcd, etcdPeer, controllerManager, scheduler };
}
