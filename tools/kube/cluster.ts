import { parse, stringify } from "yaml";
import { ms, seconds, sleep, systemClock, systemRandom } from "../../core/base/mod.ts";
import type { KubePrograms } from "./build.ts";
import { makeCertificates } from "./certificates.ts";
import {
  commandOf,
  type CommandPlace,
  type Component,
  COMPONENTS,
  type KubePorts,
} from "./commands.ts";

/** Longest time until a part answers. */
const START_LIMIT = seconds(60);
/** How long a part may take to end by itself; the server waits for its watches for a minute. */
const STOP_LIMIT = seconds(2);

/** Options of {@linkcode KubeCluster.start}. */
export interface KubeClusterOptions {
  /** User whose requests are written down in `audit.log`. @default {nobody's} */
  readonly auditOf?: string;
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
  readonly #ports: KubePorts;
  readonly #audit: boolean;

  private constructor(place: Required<CommandPlace>) {
    this.dir = place.dir;
    this.programs = place.programs;
    this.#ports = place.ports;
    this.#audit = place.audit;
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
    const { auditOf } = options;
    const cluster = new KubeCluster({ dir, programs, ports, audit: auditOf !== undefined });
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
    return `https://127.0.0.1:${this.#ports.apiserver}`;
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
    // Another process may have the number by now.
    const line = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    const [program = ""] = commandOf(component, this.#place());
    return line.split("\0")[0] === program ? pid : undefined;
  }

  /** Starts one part, unless it runs; resolves when it answers. */
  async start(component: Component): Promise<void> {
    if (await this.pid(component) === undefined) await this.#spawn(component);
    await this.#until(() => this.#answers(component), component);
  }

  /** Ends one part, or all in turn: by itself, and after two seconds at once. */
  async stop(component?: Component): Promise<void> {
    if (component === undefined) {
      for (const one of COMPONENTS.toReversed()) await this.stop(one);
      return;
    }
    const pid = await this.pid(component);
    if (pid === undefined) return;
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      this.#signal(pid, "SIGCONT");
      this.#signal(pid, signal);
      const limit = systemClock.monotonic() + STOP_LIMIT;
      while (await this.pid(component) !== undefined && systemClock.monotonic() < limit) {
        await sleep(systemClock, ms(20));
      }
    }
    await Deno.remove(`${this.dir}/${component}.pid`).catch(() => {});
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

  #place() {
    return { programs: this.programs, ports: this.#ports, dir: this.dir, audit: this.#audit };
  }

  async #spawn(component: Component): Promise<void> {
    const command = commandOf(component, this.#place());
    // A session of its own, so that Ctrl-C on a test does not reach it; the shell sends the output to
    // a file, which outlives the process that started it, and tells who it has become.
    const script = 'dir="$0"; name="$1"; shift; echo $$ >"$dir/$name.pid"; ' +
      'exec "$@" >>"$dir/$name.log" 2>&1 </dev/null';
    await new Deno.Command("setsid", {
      args: ["--fork", "sh", "-c", script, this.dir, component, ...command],
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
    const { etcd, controllerManager, scheduler } = this.#ports;
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

/**
 * Below the ports that the system gives to outgoing connections: a part that is stopped and started
 * again could find its port taken by one of those.
 */
function freePort(): number {
  for (;;) {
    const port = 26_000 + Math.floor(systemRandom() * 6_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
