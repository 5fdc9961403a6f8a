import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { deadline, ms, silentLogger, systemClock } from "../../core/base/mod.ts";
import { buildTestImages } from "../images/mod.ts";
import { cleanUp, findShims } from "./cleanup.ts";
import {
  bridgeNetwork,
  cniConfig,
  containerdConfig,
  type ContainerdPaths,
  containerdPaths,
  MAX_NETWORKS,
  plainHttpHost,
} from "./config.ts";
import {
  findProcesses,
  loadMachineTraits,
  mustRun,
  runCommand,
  signalProcess,
  waitUntil,
} from "./machine.ts";

const START_LIMIT = 30_000;
const STOP_LIMIT = 10_000;

/** Options of {@linkcode startContainerd}. */
export interface ContainerdOptions {
  /** Holds all its state; must be absent or empty. @default {a new temporary folder} */
  readonly dir?: string;
  /** Import {@linkcode TEST_IMAGES}. @default {true} */
  readonly images?: boolean;
}

/** A containerd of one's own, apart from the machine's and from those of other tests. */
export interface Containerd extends AsyncDisposable {
  readonly paths: ContainerdPaths;
  /** Path of the CRI socket. */
  readonly socket: string;
  /** The bridge of its pods, and their subnet. */
  readonly bridge: string;
  readonly subnet: string;
  /** Process id; `undefined` while it is stopped. */
  readonly pid: number | undefined;
  /** Starts it again after {@linkcode Containerd.stop}; resolves when its plugins answer. */
  start(): Promise<void>;
  /** Ends containerd alone; containers live on, as on a real node. @default {"SIGTERM"} */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Runs `ctr` in the CRI's namespace and returns its output. @throws {Error} when it fails. */
  ctr(...args: string[]): Promise<string>;
  /** Imports a docker archive. */
  importImages(archive: Uint8Array): Promise<void>;
  /** Lets it pull from the registry `host` (`HOST:PORT`) over plain HTTP. */
  allowPlainHttp(host: string): Promise<void>;
  /** The end of containerd's log, for messages of failed tests. */
  log(): Promise<string>;
}

/**
 * Starts a private containerd with CRI: own root, state, socket, bridge and subnet, so that several
 * test processes can each have one. Disposing it ends and removes all of it, containers included.
 * Needs root and the packages of `tools/containerd/install.ts`.
 *
 * @throws {Error} when it does not answer in time; the message holds the end of its log.
 */
export async function startContainerd(options: ContainerdOptions = {}): Promise<Containerd> {
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: "skerry-cri-" });
  const paths = containerdPaths(await Deno.realPath(await ensureFolder(dir)));
  const network = await takeBridge();
  const daemon = new Daemon(paths, network);
  try {
    await ensurePortChains();
    await Deno.mkdir(paths.cni);
    await Deno.writeTextFile(`${paths.dir}/network`, `${network}`);
    await Deno.writeTextFile(
      `${paths.cni}/10-skerry.conflist`,
      cniConfig(bridgeNetwork(network), paths.dir),
    );
    await Deno.writeTextFile(paths.config, containerdConfig(paths, await loadMachineTraits()));
    await daemon.start();
    if (options.images ?? true) await daemon.importImages(await buildTestImages());
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Ends and removes what {@linkcode startContainerd} left in `dir`, by whichever process it was
 * started. An absent folder is no error.
 */
export async function removeContainerd(dir: string): Promise<void> {
  const paths = containerdPaths(await Deno.realPath(dir).catch(() => dir));
  const network = await Deno.readTextFile(`${paths.dir}/network`).catch(() => undefined);
  await new Daemon(paths, network === undefined ? undefined : Number(network))
    [Symbol.asyncDispose]();
}

async function ensureFolder(dir: string): Promise<string> {
  await Deno.mkdir(dir, { recursive: true });
  for await (const entry of Deno.readDir(dir)) {
    throw new Error(`${dir} is not empty (${entry.name}): take another folder or run "down" first`);
  }
  return dir;
}

/** Making the bridge is the lock: only one process can make an interface of one name. */
async function takeBridge(): Promise<number> {
  let last = "";
  for (let index = 0; index < MAX_NETWORKS; index++) {
    const name = bridgeNetwork(index).bridge;
    const made = await runCommand("ip", ["link", "add", "name", name, "type", "bridge"]);
    if (made.success) return index;
    last = made.stderr;
    if (!/exists/i.test(last)) break;
  }
  throw new Error(`Cannot make a bridge: ${last}`);
}

/**
 * Makes the chains that the portmap plugin shares between all networks. It makes them itself with the
 * first host port of a machine, and two first ones at the same time trip over each other.
 */
async function ensurePortChains(): Promise<void> {
  for (const chain of ["CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-DNAT"]) {
    const made = await runCommand("iptables", ["-w", "-t", "nat", "-N", chain]);
    if (!made.success && !/exists/i.test(made.stderr)) {
      throw new Error(`Cannot make the chain ${chain}: ${made.stderr}`);
    }
  }
}

class Daemon implements Containerd {
  readonly paths: ContainerdPaths;
  readonly #network: number | undefined;
  #removed = false;
  #child: Deno.ChildProcess | undefined;

  constructor(paths: ContainerdPaths, network: number | undefined) {
    this.paths = paths;
    this.#network = network;
  }

  get socket(): string {
    return this.paths.socket;
  }

  get bridge(): string {
    return bridgeNetwork(this.#network ?? 0).bridge;
  }

  get subnet(): string {
    return bridgeNetwork(this.#network ?? 0).subnet;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#child) return;
    const { config, log } = this.paths;
    // A session of its own, so that Ctrl-C on the test does not reach it before the clean-up does;
    // the shell only sends the output to a file, which outlives the process that started it.
    const child = new Deno.Command("setsid", {
      args: ["sh", "-c", 'exec containerd --config "$0" >>"$1" 2>&1 </dev/null', config, log],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    child.unref();
    this.#child = child;
    let ended = false;
    child.status.then(() => ended = true, () => ended = true);
    const ready = await waitUntil(async () => ended || await this.#answers(), START_LIMIT);
    if (ready && !ended) return;
    throw new Error(`containerd does not start in ${this.paths.dir}:\n${await this.log()}`);
  }

  /** Plugins are loaded before the socket answers; the CRI one must be among the good ones. */
  async #answers(): Promise<boolean> {
    if (!await Deno.stat(this.socket).catch(() => undefined)) return false;
    const list = await runCommand("ctr", ["-a", this.socket, "--timeout", "5s", "plugins", "ls"]);
    return list.success && /grpc\.v1\s+cri\s+\S+\s+ok/.test(list.stdout);
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    for (const pid of await this.#pids()) {
      signalProcess(pid, signal);
      const gone = (): Promise<boolean> => this.#pids().then((pids) => !pids.includes(pid));
      if (await waitUntil(gone, STOP_LIMIT)) continue;
      signalProcess(pid, "SIGKILL");
      await waitUntil(gone, STOP_LIMIT);
    }
    this.#child?.ref();
    await this.#child?.status;
    this.#child = undefined;
  }

  /** Ours by its configuration file, whichever process started it. */
  async #pids(): Promise<number[]> {
    return await findProcesses((args) =>
      args[0]?.split("/").at(-1) === "containerd" && args.includes(this.paths.config)
    );
  }

  async ctr(...args: string[]): Promise<string> {
    return await mustRun("ctr", ["-a", this.socket, "-n", "k8s.io", ...args]);
  }

  async importImages(archive: Uint8Array): Promise<void> {
    const file = `${this.paths.dir}/import.tar`;
    await Deno.writeFile(file, archive);
    try {
      await this.ctr("images", "import", file);
    } finally {
      await Deno.remove(file);
    }
  }

  async allowPlainHttp(host: string): Promise<void> {
    const folder = `${this.paths.registries}/${host}`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/hosts.toml`, plainHttpHost(host));
  }

  async log(): Promise<string> {
    const text = await Deno.readTextFile(this.paths.log).catch(() => "");
    return text.split("\n").slice(-30).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    await this.#removePods().catch(() => {}); // cleanUp ends by force what this could not
    await this.stop();
    await cleanUp(this.paths, this.#network);
  }

  /**
   * Lets CRI take its own pods down: only it undoes their host ports and network leases. A containerd
   * that was stopped while it had pods is started once more for that.
   */
  async #removePods(): Promise<void> {
    if ((await this.#pids()).length === 0) {
      if ((await findShims(this.socket)).length === 0) return;
      await this.start();
    }
    const { socket: socketPath } = this;
    await using runtime = createCriRuntime({ socketPath, clock: systemClock, log: silentLogger });
    using limit = deadline(systemClock, ms(STOP_LIMIT), () => new Error("pods do not end"));
    const { sandboxes } = await runtime.observe(limit.signal);
    await Promise.all(sandboxes.map(async ({ id }) => {
      await runtime.stopSandbox(id, limit.signal);
      await runtime.removeSandbox(id, limit.signal);
    }));
  }
}
