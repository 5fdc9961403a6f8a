import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { type Node, type Pod, RESOURCES } from "../api/mod.ts";
import { AppError, type NodeName, seconds, VirtualClock } from "../base/mod.ts";
import type { ResourceContext } from "../http/mod.ts";
import { type LocalStore, openSqliteStore } from "../store/mod.ts";
import { metricsApi } from "./metrics_api.ts";
import { METRICS } from "./metrics_objects.ts";
import { type NodeUsage, readNodeUsage } from "./node_usage.ts";
import type { ReadUsage } from "./usage_reader.ts";

const never = new AbortController().signal;
const TIME = "2026-01-01T00:00:10Z";

function use(nanoCores: number, bytes: number) {
  return {
    cpu: { time: TIME, usageNanoCores: nanoCores },
    memory: { time: TIME, workingSetBytes: bytes },
  };
}

function usageOf(...pods: [name: string, uid: string][]): NodeUsage {
  return {
    node: use(1_500_000_000, 1_048_576),
    pods: pods.map(([name, uid]) => ({
      podRef: { name, namespace: "default", uid },
      containers: [{ name: "main", ...use(250_000_000, 2_099_200) }, { name: "new" }],
    })),
    skerry: { windowSeconds: 1.05 },
  };
}

async function storeWith(
  nodes: readonly string[],
  pods: readonly [name: string, node: string][],
): Promise<LocalStore> {
  const store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  for (const name of nodes) {
    const node: Node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { zone: name } },
    };
    await store.create(RESOURCES.nodes, node);
  }
  for (const [name, nodeName] of pods) {
    await store.create(RESOURCES.pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels: { app: name } },
      spec: { nodeName, containers: [{ name: "main", image: "i" }] },
    });
  }
  return store;
}

/** The two kinds as the API calls them. */
function serve(store: LocalStore, read: ReadUsage, clock = new VirtualClock()) {
  const [nodes, pods] = metricsApi(read, clock);
  const context = (kind: keyof typeof METRICS, name = ""): ResourceContext =>
    ({
      api: { store },
      info: { signal: never },
      resource: METRICS[kind],
      name,
      namespace: "default",
    }) as unknown as ResourceContext;
  return {
    nodes: (selection = {}) => nodes?.list(selection, context("nodes")),
    node: (name: string) => nodes?.get(context("nodes", name)),
    pods: (selection = {}) => pods?.list(selection, context("pods")),
    pod: (name: string) => pods?.get(context("pods", name)),
  };
}

async function uidOf(store: LocalStore, name: string): Promise<string> {
  const pod = await store.get({ resource: RESOURCES.pods, namespace: "default", name }) as Pod;
  return pod.metadata.uid ?? "";
}

Deno.test("metricsApi() gives what nodes say, in Kubernetes' amounts", async () => {
  using store = await storeWith(["a"], [["web", "a"]]);
  const usage = usageOf(["web", await uidOf(store, "web")]);
  const api = serve(store, () => Promise.resolve(usage));
  deepStrictEqual(await api.nodes(), [{
    kind: "NodeMetrics",
    apiVersion: "metrics.k8s.io/v1beta1",
    metadata: { name: "a", creationTimestamp: TIME, labels: { zone: "a" } },
    timestamp: TIME,
    window: "1.05s",
    usage: { cpu: "1500000000n", memory: "1024Ki" },
  }]);
  const pod = {
    kind: "PodMetrics",
    apiVersion: "metrics.k8s.io/v1beta1",
    metadata: {
      name: "web",
      namespace: "default",
      creationTimestamp: TIME,
      labels: { app: "web" },
    },
    timestamp: TIME,
    window: "1.05s",
    containers: [{ name: "main", usage: { cpu: "250000000n", memory: "2050Ki" } }],
  };
  deepStrictEqual(await api.pods(), [pod]);
  deepStrictEqual(await api.pod("web"), pod);
  deepStrictEqual(await api.pods({ labelSelector: "app=other" }), []);
});

Deno.test("metricsApi() asks each node once in ten seconds, and only those that matter", async () => {
  using store = await storeWith(["a", "b"], [["web", "a"]]);
  const clock = new VirtualClock();
  const asked: string[] = [];
  const api = serve(store, (node) => {
    asked.push(node);
    return Promise.resolve(usageOf());
  }, clock);
  await Promise.all([api.pods(), api.pods(), api.node("a")]);
  deepStrictEqual(asked, ["a"]);
  await api.nodes({ labelSelector: "zone in (a,b)" });
  deepStrictEqual(asked, ["a", "b"]);
  await clock.advance(seconds(10));
  await api.nodes();
  deepStrictEqual(asked.sort(), ["a", "a", "b", "b"]);
});

Deno.test("metricsApi() leaves out nodes that refuse or are late, and says why for one", async () => {
  using store = await storeWith(["away", "fine", "slow"], [["lost", "away"]]);
  const clock = new VirtualClock();
  const ended: NodeName[] = [];
  const api = serve(store, (node, signal) => {
    if (node === "fine") return Promise.resolve(usageOf());
    if (node === "away") return Promise.reject(new AppError("ServiceUnavailable", "no link"));
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        ended.push(node);
        reject(signal.reason);
      })
    );
  }, clock);
  const list = api.nodes();
  await clock.advance(seconds(5));
  deepStrictEqual((await list)?.map(({ metadata }) => metadata.name), ["fine"]);
  deepStrictEqual(ended, ["slow"]);
  await rejects(async () => await api.node("away"), {
    code: "NotFound",
    message: 'nodes.metrics.k8s.io "away" not found: no link',
  });
  await rejects(async () => await api.node("none"), /nodes "none" not found/);
  await rejects(async () => await api.pod("lost"), /"lost" not found: no link/);
});

Deno.test("metricsApi() takes no word of a node on pods that are not its own", async () => {
  using store = await storeWith(["a", "b"], [["web", "b"], ["old", "a"], ["waits", ""]]);
  const uid = await uidOf(store, "web");
  const api = serve(
    store,
    (node) =>
      Promise.resolve(node === "a" ? usageOf(["web", uid], ["old", "uid-before"]) : usageOf()),
  );
  deepStrictEqual(await api.pods(), []);
  await rejects(async () => await api.pod("old"), /no container of it has run long enough/);
  await rejects(async () => await api.pod("waits"), /the pod is on no node yet/);
});

Deno.test("readNodeUsage() reads a kubelet's summary and refuses everything else", async () => {
  const node = "a" as NodeName;
  const summary = { node: { nodeName: "a", ...use(1, 2), fs: {} }, pods: [] };
  const read = await readNodeUsage(node, Response.json(summary));
  strictEqual(read.node.cpu?.usageNanoCores, 1);
  for (
    const [response, why] of [
      [new Response("no", { status: 503 }), /its kubelet answered with 503/],
      [new Response("{"), /cannot be read/],
      [Response.json({ node: {}, pods: [{}] }), /pods\.0\.podRef/],
      [Response.json({ node: use(-1, 2), pods: [] }), /node\.cpu\.usageNanoCores/],
      [new Response(new Uint8Array(5 * 1024 * 1024)), /longer than/],
    ] as const
  ) {
    await rejects(readNodeUsage(node, response), (error) => {
      ok(error instanceof AppError && error.code === "ServiceUnavailable");
      return why.test(error.message);
    });
  }
});
