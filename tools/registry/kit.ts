import { runCommand, waitUntil } from "../containerd/mod.ts";
import { freePort } from "../free_port.ts";
import { type ImageContent, pushImage } from "./push.ts";

/** Who may pull from a registry that {@linkcode RegistryOptions.auth} closes. */
export const REGISTRY_USER = { username: "gateway", password: "open-sesame" } as const;
/** The hash of that password: the registry reads bcrypt alone, which Deno cannot make. */
const HTPASSWD = "gateway:$2y$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n";

const START_LIMIT = 20_000;

/** Options of {@linkcode startRegistry}. */
export interface RegistryOptions {
  /** Whether it asks for {@linkcode REGISTRY_USER}. @default {false} */
  readonly auth?: boolean;
}

/** A registry of one's own on loopback, over plain HTTP. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as image references begin. */
  readonly host: string;
  /** Puts an image there. Returns its full reference with tag, and its digest. */
  push(name: string, image: ImageContent): Promise<{ ref: string; digest: string }>;
  /** Starts it again at the same address with what it had. */
  start(): Promise<void>;
  /** Ends it at once, as a crash would. */
  stop(): Promise<void>;
}

/** Why there can be no registry here; `undefined` when there can. */
export async function registryProblem(): Promise<string | undefined> {
  const found = await runCommand("docker-registry", ["--version"]);
  return found.success ? undefined : "docker-registry is not installed";
}

/**
 * Starts Debian's `docker-registry`. Needs the packages of `tools/containerd/install.ts`.
 *
 * @throws {Error} when it does not answer in time
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-registry-" });
  const host = `127.0.0.1:${freePort()}`;
  const auth = options.auth ?? false;
  await Deno.writeTextFile(`${folder}/htpasswd`, HTPASSWD);
  await Deno.writeTextFile(`${folder}/config.yml`, config(folder, host, auth));
  const registry = new Daemon(folder, host, auth);
  try {
    await registry.start();
    return registry;
  } catch (error) {
    await registry[Symbol.asyncDispose]();
    throw error;
  }
}

function config(folder: string, addr: string, auth: boolean): string {
  return JSON.stringify({
    version: "0.1",
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: `${folder}/data` } },
    http: { addr },
    ...(auth ? { auth: { htpasswd: { realm: "skerry", path: `${folder}/htpasswd` } } } : {}),
  });
}

class Daemon implements Registry {
  readonly host: string;
  readonly #folder: string;
  readonly #auth: boolean;
  #child: Deno.ChildProcess | undefined;

  constructor(folder: string, host: string, auth: boolean) {
    this.#folder = folder;
    this.host = host;
    this.#auth = auth;
  }

  async push(name: string, image: ImageContent): Promise<{ ref: string; digest: string }> {
    const ref = `${this.host}/${name}`;
    return { ref, digest: await pushImage(ref, image, this.#auth ? REGISTRY_USER : undefined) };
  }

  async start(): Promise<void> {
    if (this.#child) return;
    this.#child = new Deno.Command("docker-registry", {
      args: ["serve", `${this.#folder}/config.yml`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    if (await waitUntil(() => this.#answers(), START_LIMIT)) return;
    throw new Error(`docker-registry does not answer at ${this.host}`);
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch(`http://${this.host}/v2/`);
      await response.body?.cancel();
      return response.status === (this.#auth ? 401 : 200);
    } catch {
      return false;
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    try {
      child?.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
