// Real kubectl and controllers: the embedded plane's, or a cluster's own; nodes are played.
import assert from "node:assert/strict";
import { type KubeObject, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { until } from "../../cloud/until_test_helper.ts";
import { type PlaneCluster, startPlaneCluster as start } from "./plane.ts";

/** Pods that stay: those that a rollout has replaced count for it no more, and go a moment later. */
const staying = async (cluster: PlaneCluster) =>
  (await cluster.list<Pod>(RESOURCES.pods)).filter((pod) => !pod.metadata.deletionTimestamp);

const images = async (cluster: PlaneCluster) => [
  ...new Set((await staying(cluster)).map((pod) => pod.spec.containers[0]?.image)),
];

Deno.test("kubectl rollout status, history, undo, restart, pause and resume work on a Deployment", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  await kubectl("create deployment web --image=example/app:1 --replicas=3");
  assert.match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  assert.match(await kubectl("get deployment web --no-headers"), /^web +3\/3 +3 +3 /);
  await kubectl("set image deployment/web app=example/app:2");
  assert.match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  assert.deepEqual(await images(cluster), ["example/app:2"]);
  const history = await kubectl("rollout history deployment/web");
  assert.match(history, /^1 .*\n2 /m);
  assert.match(await kubectl("rollout history deployment/web --revision=1"), /example\/app:1/);
  await kubectl("rollout undo deployment/web");
  assert.match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  assert.deepEqual(await images(cluster), ["example/app:1"]);
  assert.match(await kubectl("rollout history deployment/web"), /^2 .*\n3 /m);
  const before = (await staying(cluster)).map(({ metadata }) => metadata.uid);
  await kubectl("rollout restart deployment/web");
  assert.match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  const after = (await staying(cluster)).map(({ metadata }) => metadata.uid);
  assert.ok(after.every((uid) => !before.includes(uid)));
  await kubectl("rollout pause deployment/web");
  await kubectl("set image deployment/web app=example/app:3");
  await kubectl("scale deployment/web --replicas=4");
  await until(async () => (await staying(cluster)).length === 4);
  assert.deepEqual(await images(cluster), ["example/app:1"]);
  await kubectl("rollout resume deployment/web");
  assert.match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  assert.deepEqual(await images(cluster), ["example/app:3"]);
  let described = "";
  await until(async () => {
    described = await kubectl("describe deployment web");
    return /ScalingReplicaSet .*Scaled up replica set web-\w+ from 0 to/.test(described);
  });
  assert.match(described, /NewReplicaSet: +web-\w+ \(4\/4 replicas created\)/);
  assert.match(described, /Progressing +True +NewReplicaSetAvailable/);
});

Deno.test("kubectl rollout status fails with Kubernetes' words when a rollout makes no progress", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  cluster.healthy = () => false;
  await kubectl("create deployment web --image=example/app:1");
  const patch = '-p={"spec":{"progressDeadlineSeconds":1}}';
  await kubectl(`patch deployment web ${patch}`);
  const text = await kubectl("rollout status deployment/web", { code: 1 });
  assert.match(text, /exceeded its progress deadline/);
});

Deno.test("kubectl delete takes down in the foreground, leaves orphans, and a namespace with all in it", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  await kubectl("create deployment web --image=example/app:1 --replicas=2");
  await kubectl("wait --for=condition=Available deployment/web");
  await kubectl("delete deployment web --cascade=orphan");
  assert.equal((await cluster.list(RESOURCES.replicasets)).length, 1);
  assert.equal((await cluster.list(RESOURCES.pods)).length, 2);
  await kubectl("create deployment web --image=example/app:1 --replicas=2");
  // It has them again once it tells of them.
  await kubectl("wait --for=condition=Available deployment/web");
  await kubectl("delete deployment web --cascade=foreground");
  assert.equal((await cluster.list(RESOURCES.pods)).length, 0);
  assert.equal((await cluster.list(RESOURCES.replicasets)).length, 0);
  await kubectl("create namespace team");
  await kubectl("-n team create deployment web --image=example/app:1");
  await kubectl("-n team wait --for=condition=Available deployment/web");
  await kubectl("delete namespace team");
  assert.equal((await cluster.list(RESOURCES.pods)).length, 0);
  assert.match(await kubectl("get namespace team", { code: 1 }), /not found/);
});

Deno.test("kubectl apply of a DaemonSet and a Service: rollout status, addresses, slices", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  const labels = { app: "log" };
  const daemonSet = (image: string): KubeObject => ({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "log", namespace: "default" },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "log", image }] } },
    },
  });
  await kubectl("apply -f -", { stdin: daemonSet("example/log:1") });
  assert.match(await kubectl("rollout status daemonset/log"), /successfully rolled out/);
  await kubectl("apply -f -", { stdin: daemonSet("example/log:2") });
  assert.match(await kubectl("rollout status daemonset/log"), /successfully rolled out/);
  assert.deepEqual(await images(cluster), ["example/log:2"]);
  const nodes = (await staying(cluster)).map((pod) => pod.spec.nodeName);
  assert.deepEqual(nodes.sort(), ["edge-1", "edge-2"]);
  await kubectl("create deployment web --image=example/app:1 --port=8080");
  await kubectl("expose deployment web --port=80 --target-port=8080");
  await until(async () => /^web +ClusterIP +\d+\.\d+\./m.test(await kubectl("get service web")));
  await until(async () =>
    / 8080 +10\.42\./.test(await kubectl("get endpointslices -l kubernetes.io/service-name=web"))
  );
  assert.match(await kubectl("get serviceaccount default"), /^default /m);
});

Deno.test("kubectl cordon keeps new pods off a node, and describe says why a pod waits", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  await kubectl("cordon edge-1");
  await kubectl("create deployment web --image=example/app:1 --replicas=2");
  await kubectl("rollout status deployment/web");
  assert.ok((await cluster.list<Pod>(RESOURCES.pods)).every((p) => p.spec.nodeName === "edge-2"));
  await kubectl("taint node edge-2 site=closed:NoSchedule");
  await kubectl("run late --image=example/app:1");
  await until(async () => (await kubectl("describe pod late")).includes("FailedScheduling"));
  const described = await kubectl("describe pod late");
  // A cluster may have nodes of its own; newer ones name no taint.
  assert.match(
    described,
    /0\/\d nodes are available: 1 node\(s\) had untolerated taint(\(s\)| \{site: closed\}), \d node\(s\) were unschedulable\./,
  );
  await kubectl("uncordon edge-1");
  await kubectl("wait --for=condition=Ready pod/late");
});

Deno.test("kubectl apply of node groups and an application: each group has its own, and wait works", async () => {
  await using cluster = await start();
  const { kubectl } = cluster;
  const group = (name: string, spec: object) => ({
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "NodeGroup",
    metadata: { name },
    spec,
  });
  await kubectl("label node edge-2 zone=south");
  await kubectl("apply -f -", { stdin: group("north", { nodes: ["edge-1"] }) });
  await kubectl("apply -f -", { stdin: group("south", { matchLabels: { zone: "south" } }) });
  const manifest = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "main", image: "registry.example/web:1" }] },
      },
    },
  };
  const overriders = {
    replicas: 2,
    imageOverriders: [{ component: "Tag", operator: "replace", value: "2" }],
  };
  await kubectl("apply -f -", {
    stdin: {
      apiVersion: "apps.kubeedge.io/v1alpha1",
      kind: "EdgeApplication",
      metadata: { name: "app" },
      spec: {
        workloadTemplate: { manifests: [manifest] },
        workloadScope: {
          targetNodeGroups: [{ name: "north" }, { name: "south", overriders }],
        },
      },
    },
  });
  await kubectl("wait eapp/app --for=condition=Available --timeout=60s");
  const where = (await cluster.list<Pod>(RESOURCES.pods))
    .map(({ spec }) => `${spec.nodeName} ${spec.containers[0]?.image}`).sort();
  assert.deepEqual(where, [
    "edge-1 registry.example/web:1",
    "edge-2 registry.example/web:2",
    "edge-2 registry.example/web:2",
  ]);
  assert.match(await kubectl("get eapp"), /app +True +Available/);
  assert.match(await kubectl("get nodes -L apps.kubeedge.io/belonging-to"), /edge-1 .* north\n/);
  await kubectl("delete ng south --timeout=60s");
  await until(async () =>
    (await cluster.list<Pod>(RESOURCES.pods)).every(({ spec }) => spec.nodeName !== "edge-2")
  );
  await until(async () => /app +False +Progressing/.test(await kubectl("get eapp")));
  await kubectl("delete eapp app --timeout=60s");
  await until(async () => (await cluster.list(RESOURCES.deployments)).length === 0);
});
