import { RESOURCE_LIST, RESOURCES } from "../../core/api/mod.ts";
import { createLogger, systemClock } from "../../core/base/mod.ts";
import {
  createApi,
  createAuthenticate,
  type Extensions,
  rbacLike,
  serveHttps,
  VIEWER_GROUP,
} from "../../core/http/mod.ts";
import { makePki, type Pki } from "../../core/http/testing.ts";
import { type LocalStore, openSqliteStore, type Store } from "../../core/store/mod.ts";
import { upstreamKubeconfig } from "../e2e/upstream.ts";
import { runActor } from "./actor.ts";
import { type KubectlAt, kubectlIn } from "./kubectl.ts";
import { addNode, playNodes } from "./kubelet.ts";
import { stayOn, writeUsers } from "./stay.ts";

/** A cluster for tests with real kubectl: an API, and what makes pods run behind it. */
export interface Cluster extends AsyncDisposable, KubectlAt {
  /** Whether its API is this process's own, and not Kubernetes'. */
  readonly inProcess: boolean;
  readonly store: Store;
}

/** The bearer token of the viewer. */
const VIEWER_TOKEN = "viewer-token";

/** The node that every cluster has. */
const NODE = "edge-1";

/**
 * Starts a cluster of this process, or with `KUBECONFIG` begins a stay on that one: its API server,
 * scheduler and controllers, with one node that is played. For both the same must hold.
 */
export async function startCluster(): Promise<Cluster> {
  const upstream = upstreamKubeconfig();
  return upstream === undefined ? await startInProcess() : await startOn(upstream);
}

/** Starts a cluster of this process, whatever the upstream: for what only Skerry's API does. */
export async function startInProcess(extensions: Extensions = {}): Promise<Cluster> {
  await using held = new AsyncDisposableStack();
  const folder = await makeFolder(held);
  const log = createLogger({ level: "error" });
  const clock = systemClock;
  const store = held.use(openSqliteStore({ path: ":memory:", clock, checkNamespaces: true }));
  await seed(store);
  const api = createApi({
    store,
    resources: RESOURCE_LIST,
    authenticate: createAuthenticate({
      token: (token) =>
        token === VIEWER_TOKEN ? { name: "vera", groups: [VIEWER_GROUP] } : undefined,
    }),
    authorize: rbacLike(),
    clock,
    log,
    version: "0.1.0",
    extensions,
  });
  const pki = await makePki();
  const stop = new AbortController();
  const server = await serveHttps({
    hostname: "127.0.0.1",
    port: 0,
    cert: pki.server.certificate,
    key: pki.server.key,
    clientCa: pki.ca.certificate,
    handler: api.fetch,
    clock,
    log,
    signal: stop.signal,
  });
  held.defer(() => server.finished);
  await writeKubeconfigs(folder, server.port, pki);
  const acting = runActor(store, stop.signal);
  held.defer(() => acting);
  held.use(playNodes(store, [NODE]));
  held.defer(() => stop.abort(new Error("the test is over")));
  const kubectl = await kubectlIn(folder);
  const stack = held.move();
  return { inProcess: true, store, ...kubectl, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function startOn(upstream: string): Promise<Cluster> {
  await using held = new AsyncDisposableStack();
  const stay = held.use(await stayOn(upstream, [NODE]));
  const folder = await makeFolder(held);
  await writeUsers(folder, upstream, stay.client);
  const kubectl = await kubectlIn(folder);
  const stack = held.move();
  return {
    inProcess: false,
    store: stay.store,
    ...kubectl,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function makeFolder(held: AsyncDisposableStack): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-compat-" });
  held.defer(() => Deno.remove(folder, { recursive: true }));
  return folder;
}

async function seed(store: LocalStore): Promise<void> {
  for (const name of ["default", "kube-system", "kube-node-lease"]) {
    await store.create(RESOURCES.namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name },
    });
  }
  await addNode(store, NODE);
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
