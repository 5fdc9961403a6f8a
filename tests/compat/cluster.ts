import { RESOURCE_LIST, RESOURCES } from "../../core/api/mod.ts";
import { createLogger, deadline, seconds, systemClock } from "../../core/base/mod.ts";
import {
  createApi,
  createAuthenticate,
  type Extensions,
  rbacLike,
  serveHttps,
  VIEWER_GROUP,
} from "../../core/http/mod.ts";
import { makePki, type Pki } from "../../core/http/testing.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import { findKubectl } from "../../tools/kubectl.ts";
import { runActor } from "./actor.ts";

/** What a command printed and how it ended. */
export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A one-process cluster for tests: API over HTTPS, a store in memory, and an actor for the rest. */
export interface Cluster extends AsyncDisposable {
  readonly store: LocalStore;
  readonly port: number;
  /** The CA of server and clients, PEM. */
  readonly ca: string;
  /** Runs real kubectl as administrator. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<Output>;
  /** As {@linkcode kubectl}, and throws with all output when it fails. Returns standard output. */
  ok(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** Starts kubectl and leaves it running; the caller ends it. */
  start(args: readonly string[]): Deno.ChildProcess;
}

/** How one kubectl is run. */
export interface KubectlOptions {
  readonly stdin?: string;
  /** @default {"admin"} */
  readonly as?: "admin" | "viewer" | "nobody";
}

/** The bearer token of the viewer. */
export const VIEWER_TOKEN = "viewer-token";

const LIMIT = seconds(60);

/** Starts a cluster. */
export async function startCluster(extensions: Extensions = {}): Promise<Cluster> {
  const kubectl = await findKubectl();
  const folder = await Deno.makeTempDir({ prefix: "skerry-compat-" });
  const stop = new AbortController();
  const log = createLogger({ level: "error" });
  const store = openSqliteStore({ path: ":memory:", clock: systemClock, checkNamespaces: true });
  await seed(store);
  const api = createApi({
    store,
    resources: RESOURCE_LIST,
    authenticate: createAuthenticate({
      token: (token) =>
        token === VIEWER_TOKEN ? { name: "vera", groups: [VIEWER_GROUP] } : undefined,
    }),
    authorize: rbacLike(),
    clock: systemClock,
    log,
    version: "0.1.0",
    extensions,
  });
  const pki = await makePki();
  const server = await serveHttps({
    hostname: "127.0.0.1",
    port: 0,
    cert: pki.server.certificate,
    key: pki.server.key,
    clientCa: pki.ca.certificate,
    handler: api.fetch,
    clock: systemClock,
    log,
    signal: stop.signal,
  });
  await writeKubeconfigs(folder, server.port, pki);
  const acting = runActor(store, stop.signal);
  const command = (args: readonly string[], as = "admin"): Deno.Command =>
    new Deno.Command(kubectl, {
      args: [`--kubeconfig=${folder}/${as}`, `--cache-dir=${folder}/cache`, ...args],
      env: { HOME: folder, KUBECTL_EXTERNAL_DIFF: "diff -u -N" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
  const run = async (args: readonly string[], options: KubectlOptions = {}): Promise<Output> => {
    const child = command(args, options.as).spawn();
    using limit = deadline(systemClock, LIMIT, () => new Error("kubectl took too long"));
    limit.signal.addEventListener("abort", () => child.kill("SIGKILL"));
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin ?? "")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const text = (data: Uint8Array): string => new TextDecoder().decode(data);
    return { code, out: text(stdout), err: text(stderr) };
  };
  return {
    store,
    port: server.port,
    ca: pki.ca.certificate,
    kubectl: run,
    async ok(args, options) {
      const { code, out, err } = await run(args, options);
      if (code !== 0) {
        throw new Error(`kubectl ${args.join(" ")} ended with ${code}:\n${out}${err}`);
      }
      return out;
    },
    start: (args) => command(args).spawn(),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the test is over"));
      await acting;
      await server.finished;
      store[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function seed(store: LocalStore): Promise<void> {
  for (const name of ["default", "kube-system", "kube-node-lease"]) {
    await store.create(RESOURCES.namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name },
    });
  }
  const node = { resource: RESOURCES.nodes, name: "edge-1" };
  await store.create(RESOURCES.nodes, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "edge-1", labels: { "node-role.kubernetes.io/edge": "" } },
  });
  await store.update(node, (current) => ({
    ...current,
    status: {
      capacity: { cpu: "4", memory: "4Gi", pods: "110" },
      allocatable: { cpu: "4", memory: "4Gi", pods: "110" },
      addresses: [{ type: "InternalIP", address: "10.0.0.7" }],
      conditions: [{ type: "Ready", status: "True", reason: "KubeletReady" }],
      nodeInfo: { kubeletVersion: "v1.34.0-skerry", osImage: "Test OS" },
    },
  }), { subresource: "status" });
}

async function writeKubeconfigs(folder: string, port: number, pki: Pki): Promise<void> {
  const base64 = (text: string): string => new TextEncoder().encode(text).toBase64();
  const users = {
    admin: {
      "client-certificate-data": base64(pki.admin.certificate),
      "client-key-data": base64(pki.admin.key),
    },
    viewer: { token: VIEWER_TOKEN },
    nobody: { token: "wrong" },
  };
  for (const [name, user] of Object.entries(users)) {
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name: "test",
        cluster: {
          server: `https://127.0.0.1:${port}`,
          "certificate-authority-data": base64(pki.ca.certificate),
        },
      }],
      users: [{ name, user }],
      contexts: [{ name: "test", context: { cluster: "test", user: name } }],
      "current-context": "test",
    };
    await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(config));
  }
}
