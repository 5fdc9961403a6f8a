import { doesNotMatch, match, strictEqual } from "node:assert/strict";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, systemClock, toTime } from "../../core/base/mod.ts";
import { until } from "../../core/http/testing.ts";
import { metricsApi, type NodeUsage } from "../../core/usage/mod.ts";
import { type Cluster, startInProcess } from "./cluster.ts";

const MIB = 1024 * 1024;

function use(millicores: number, bytes: number) {
  const time = toTime(systemClock.now());
  return {
    cpu: { time, usageNanoCores: millicores * 1e6 },
    memory: { time, workingSetBytes: bytes },
  };
}

/**
 * An API of Skerry's own (a cluster has metrics-server for this), whose node says that each container burns a quarter of a core. */
async function withPods(away = false): Promise<Cluster> {
  let pods: readonly Pod[] = [];
  const read = (): Promise<NodeUsage> => {
    if (away) return Promise.reject(new AppError("ServiceUnavailable", "no link to node edge-1"));
    return Promise.resolve({
      node: use(1500, 1024 * MIB),
      pods: pods.map(({ metadata: { name, namespace = "", uid = "" }, spec }) => ({
        podRef: { name, namespace, uid },
        containers: spec.containers.map((one) => ({ name: one.name, ...use(250, 20 * MIB) })),
      })),
    });
  };
  const cluster = await startInProcess({ resources: metricsApi(read, systemClock) });
  const make = (name: string, namespace: string, ...containers: string[]): string =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels: { app: name } },
      spec: { containers: containers.map((one) => ({ name: one, image: "i" })) },
    });
  const stdin = [make("web", "default", "main", "side"), make("dns", "kube-system", "dns")].join(
    "\n",
  );
  await cluster.ok(["apply", "-f", "-"], { stdin });
  await until("both pods run on the node", async () => {
    pods = (await cluster.store.list(RESOURCES.pods, {})).items as Pod[];
    const run = pods.every(({ spec, status }) => spec.nodeName && status?.phase === "Running");
    return pods.length === 2 && run ? true : undefined;
  });
  return cluster;
}

Deno.test("kubectl top node shows what a node uses, and how much of it that is", async () => {
  await using cluster = await withPods();
  const out = await cluster.ok(["top", "node"]);
  match(out, /^NAME +CPU\(cores\) +CPU\(?%\)? +MEMORY\(bytes\) +MEMORY\(?%\)? *\n/);
  match(out, /^edge-1 +1500m +37% +1024Mi +25% *$/m);
  match(await cluster.ok(["top", "node", "edge-1"], { as: "viewer" }), /edge-1 +1500m/);
  strictEqual((await cluster.kubectl(["top", "node", "none"])).code, 1);
});

Deno.test("kubectl top pod shows pods by namespace, label, name and container", async () => {
  await using cluster = await withPods();
  const { ok } = cluster;
  match(await ok(["top", "pod"]), /^web +500m +40Mi *$/m);
  const all = await ok(["top", "pod", "-A"]);
  match(all, /^default +web +500m +40Mi *$/m);
  match(all, /^kube-system +dns +250m +20Mi *$/m);
  const parts = await ok(["top", "pod", "--containers"]);
  match(parts, /^web +main +250m +20Mi *$/m);
  match(parts, /^web +side +250m +20Mi *$/m);
  const chosen = await ok(["top", "pod", "-A", "-l", "app=dns"]);
  match(chosen, /dns/);
  doesNotMatch(chosen, /web/);
  match(await ok(["top", "pod", "web", "--sum"]), /500m +40Mi/);
  match(await ok(["get", "pods.metrics.k8s.io", "-A"]), /kube-system +dns/);
  match(await ok(["api-resources", "--api-group=metrics.k8s.io"]), /PodMetrics/);
  match(await ok(["get", "pods"]), /web +2\/2 +Running/);
});

Deno.test("kubectl top says why there is nothing of a node that is away", async () => {
  await using cluster = await withPods(true);
  const { code, err } = await cluster.kubectl(["top", "pod", "web"]);
  strictEqual(code, 1);
  match(err, /"web" not found: no link to node edge-1/);
  const list = await cluster.kubectl(["get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"]);
  strictEqual(JSON.parse(list.out).items.length, 0);
});
