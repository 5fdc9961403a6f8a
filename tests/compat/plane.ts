/** A cluster with controllers, two nodes that are played, and Skerry's node groups. */
import assert from "node:assert/strict";
import { type KubeObject, type Pod, RESOURCE_LIST, type ResourceDef } from "../../core/api/mod.ts";
import { silentLogger, Supervisor, systemClock, systemRandom } from "../../core/base/mod.ts";
import { Actor, Views } from "../../core/control/mod.ts";
import { createApi, createAuthenticate, rbacLike, serveHttps } from "../../core/http/mod.ts";
import { makePki } from "../../core/http/testing.ts";
import { kubeconfigText } from "../../core/pki/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { createGroups } from "../../cloud/groups/mod.ts";
import { startPlane } from "../../cloud/plane/harness_test_helper.ts";
import { upstreamKubeconfig } from "../e2e/upstream.ts";
import { kubectlIn } from "./kubectl.ts";
import { stayOn } from "./stay.ts";

/** The cluster. */
export interface PlaneCluster extends AsyncDisposable {
  /** Pods for which this says `false` stay not ready. */
  healthy: (pod: Pod) => boolean;
  /** Objects of all namespaces but the cluster's own. */
  list<T extends KubeObject>(resource: ResourceDef): Promise<T[]>;
  /** Runs kubectl. Returns what it printed; fails when its exit code is not `code`. */
  kubectl(args: string, options?: { stdin?: unknown; code?: number }): Promise<string>;
}

const NODES = ["edge-1", "edge-2"] as const;

/** Starts the embedded plane in this process, or with `KUBECONFIG` begins a stay on that cluster. */
export async function startPlaneCluster(): Promise<PlaneCluster> {
  const upstream = upstreamKubeconfig();
  await using held = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "skerry-plane-" });
  held.defer(() => Deno.remove(folder, { recursive: true }));
  const health: { ready: (pod: Pod) => boolean } = { ready: () => true };
  const healthy = (pod: Pod): boolean => health.ready(pod);
  const store = upstream === undefined
    ? await startEmbedded(held, folder, healthy)
    : await startOn(held, folder, upstream, healthy);
  const { kubectl } = await kubectlIn(folder);
  const stack = held.move();
  return {
    get healthy() {
      return health.ready;
    },
    set healthy(next) {
      health.ready = next;
    },
    async list<T extends KubeObject>(resource: ResourceDef) {
      const { items } = await store.list(resource);
      return items.filter(({ metadata }) => !metadata.namespace?.startsWith("kube-")) as T[];
    },
    async kubectl(args, { stdin, code = 0 } = {}) {
      const input = stdin === undefined ? {} : { stdin: JSON.stringify(stdin) };
      const { code: ended, out, err } = await kubectl(args.split(" "), input);
      assert.equal(ended, code, `kubectl ${args}:\n${out}${err}`);
      return `${out}${err}`;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startOn(
  held: AsyncDisposableStack,
  folder: string,
  kubeconfig: string,
  healthy: (pod: Pod) => boolean,
): Promise<Store> {
  const { store } = held.use(await stayOn(kubeconfig, NODES, healthy));
  await Deno.copyFile(kubeconfig, `${folder}/admin`);
  const parts = { store, clock: systemClock, random: systemRandom, log: silentLogger };
  const views = new Views(parts);
  const groups = createGroups({ ...parts, views, actor: new Actor(store, views) });
  const stop = new AbortController();
  const running = new Supervisor(parts).run([views.service("views"), ...groups], stop.signal);
  held.defer(() => running);
  held.defer(() => stop.abort(new Error("the test is over")));
  return store;
}

async function startEmbedded(
  held: AsyncDisposableStack,
  folder: string,
  healthy: (pod: Pod) => boolean,
): Promise<Store> {
  const plane = held.use(await startPlane({ nodes: NODES, beside: createGroups }));
  plane.healthy = healthy;
  const common = { clock: systemClock, log: silentLogger };
  const api = createApi({
    ...common,
    store: plane.store,
    resources: RESOURCE_LIST,
    authenticate: createAuthenticate(),
    authorize: rbacLike(),
    version: "0.1.0",
  });
  const pki = await makePki();
  const stop = new AbortController();
  const server = await serveHttps({
    ...common,
    hostname: "127.0.0.1",
    port: 0,
    cert: pki.server.certificate,
    key: pki.server.key,
    clientCa: pki.ca.certificate,
    handler: api.fetch,
    signal: stop.signal,
  });
  held.defer(() => server.finished);
  held.defer(() => stop.abort(new Error("the test is over")));
  const text = kubeconfigText({
    ca: pki.ca,
    server: `https://127.0.0.1:${server.port}`,
    cluster: "test",
    credential: pki.admin,
  });
  await Deno.writeTextFile(`${folder}/admin`, text, { mode: 0o600 });
  return plane.store;
}
