import assert from "node:assert/strict";
import {
  conditionOf,
  type DaemonSet,
  type Deployment,
  type EndpointSlice,
  type Event,
  type Namespace,
  type OwnerReference,
  type Pod,
  type ReplicaSet,
  RESOURCES,
  type Service,
} from "../../core/api/mod.ts";
import { isAppError } from "../../core/base/mod.ts";
import { until } from "../until_test_helper.ts";
import { deploymentOf, setTemplate, startPlane, templateOf } from "./harness_test_helper.ts";
import { isActive, isReady } from "./pods.ts";

const image = (pod: Pod) => pod.spec.containers[0]?.image;

Deno.test("a Deployment becomes pods that are spread over the nodes and a status that is complete", async () => {
  await using plane = await startPlane({ nodes: ["a", "b"] });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 4 }));
  await until(async () => {
    const { status } = await plane.get<Deployment>(RESOURCES.deployments, "web");
    return status?.availableReplicas === 4 && status.updatedReplicas === 4;
  });
  const pods = await plane.list<Pod>(RESOURCES.pods);
  assert.deepEqual(pods.map((pod) => pod.spec.nodeName).sort(), ["a", "a", "b", "b"]);
  await until(async () => {
    const deployment = await plane.get<Deployment>(RESOURCES.deployments, "web");
    return conditionOf(deployment, "Progressing")?.reason === "NewReplicaSetAvailable";
  });
  const deployment = await plane.get<Deployment>(RESOURCES.deployments, "web");
  assert.equal(conditionOf(deployment, "Available")?.status, "True");
  assert.equal(deployment.status?.observedGeneration, deployment.metadata.generation);
  assert.equal(deployment.metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
  const [set] = await plane.list<ReplicaSet>(RESOURCES.replicasets);
  assert.equal(set?.metadata.ownerReferences?.[0]?.uid, deployment.metadata.uid);
  const hash = set?.metadata.labels?.["pod-template-hash"];
  assert.ok(hash && pods.every((pod) => pod.metadata.labels?.["pod-template-hash"] === hash));
  const reasons = (await plane.list<Event>(RESOURCES.events)).map(({ reason }) => reason);
  for (const reason of ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled"]) {
    assert.ok(reasons.includes(reason), reason);
  }
});

Deno.test("a rollout keeps enough pods ready, ends with the new image, and can be undone", async () => {
  await using plane = await startPlane({ nodes: ["a", "b"] });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 4 }));
  const ref = { resource: RESOURCES.deployments, namespace: "default", name: "web" };
  const done = async (wanted: string) => {
    const { status, metadata } = await plane.get<Deployment>(RESOURCES.deployments, "web");
    const pods = await plane.list<Pod>(RESOURCES.pods);
    return status?.observedGeneration === metadata.generation && status?.updatedReplicas === 4 &&
      status.replicas === 4 && status.availableReplicas === 4 &&
      pods.length === 4 && pods.every((pod) => image(pod) === wanted);
  };
  await until(() => done("example/app:1"));
  let least = 4;
  let most = 4;
  using watch = await plane.store.watch(RESOURCES.pods);
  const counting = (async () => {
    const ready = new Set<string>();
    const active = new Set<string>();
    let initial = true;
    for await (const event of watch) {
      if (event.type === "BOOKMARK") {
        if (event.initialEnd) initial = false;
        continue;
      }
      const pod = event.object as Pod;
      const uid = pod.metadata.uid ?? "";
      const gone = event.type === "DELETED" || !isActive(pod);
      if (gone) active.delete(uid);
      else active.add(uid);
      if (!gone && isReady(pod)) ready.add(uid);
      else ready.delete(uid);
      if (initial) continue;
      least = Math.min(least, ready.size);
      most = Math.max(most, active.size);
    }
  })();
  await setTemplate(plane.store, ref, templateOf("web", "example/app:2"));
  await until(() => done("example/app:2"));
  watch.abort();
  await counting;
  assert.ok(least >= 3, `only ${least} were ready`);
  assert.ok(most <= 5, `${most} existed`);
  await setTemplate(plane.store, ref, templateOf("web", "example/app:1"));
  await until(() => done("example/app:1"));
  const sets = await plane.list<ReplicaSet>(RESOURCES.replicasets);
  assert.equal(sets.length, 2);
  await until(async () => {
    const { metadata } = await plane.get(RESOURCES.deployments, "web");
    return metadata.annotations?.["deployment.kubernetes.io/revision"] === "3";
  });
});

Deno.test("a rollout to a pod that never gets ready stops and says so, and old pods stay", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  plane.healthy = (pod) => image(pod) !== "example/app:bad";
  await plane.create(
    RESOURCES.deployments,
    deploymentOf("web", { replicas: 4, progressDeadlineSeconds: 1 }),
  );
  const available = async () =>
    (await plane.get<Deployment>(RESOURCES.deployments, "web")).status?.availableReplicas;
  await until(async () => await available() === 4);
  const ref = { resource: RESOURCES.deployments, namespace: "default", name: "web" };
  await setTemplate(plane.store, ref, templateOf("web", "example/app:bad"));
  await until(async () => {
    const deployment = await plane.get<Deployment>(RESOURCES.deployments, "web");
    return conditionOf(deployment, "Progressing")?.reason === "ProgressDeadlineExceeded";
  });
  assert.equal(await available(), 3);
});

Deno.test("Recreate starts no new pod before the last old one is gone", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  const spec = { replicas: 2, strategy: { type: "Recreate" } };
  await plane.create(RESOURCES.deployments, deploymentOf("web", spec));
  const images = async () => (await plane.list<Pod>(RESOURCES.pods)).map(image);
  const ready = async () =>
    (await plane.get<Deployment>(RESOURCES.deployments, "web")).status?.availableReplicas;
  await until(async () => await ready() === 2);
  plane.deaf.add("a");
  const ref = { resource: RESOURCES.deployments, namespace: "default", name: "web" };
  await setTemplate(plane.store, ref, templateOf("web", "example/app:2"));
  // The node does not confirm the end of the old pods, so nothing new may start.
  await until(async () =>
    (await plane.list<Pod>(RESOURCES.pods)).every((pod) => pod.metadata.deletionTimestamp)
  );
  assert.deepEqual(await images(), ["example/app:1", "example/app:1"]);
  plane.deaf.delete("a");
  for (const pod of await plane.list<Pod>(RESOURCES.pods)) {
    const { name } = pod.metadata;
    await plane.store.delete({ resource: RESOURCES.pods, namespace: "default", name }, {
      gracePeriodSeconds: 0,
    });
  }
  await until(async () => await ready() === 2);
  assert.deepEqual(await images(), ["example/app:2", "example/app:2"]);
});

Deno.test("a deleted or failed pod is replaced, and scaling down to zero leaves none", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 2 }));
  const active = async () =>
    (await plane.list<Pod>(RESOURCES.pods)).filter((pod) => isActive(pod) && isReady(pod));
  await until(async () => (await active()).length === 2);
  const [first, second] = await active();
  const refOf = (pod: Pod | undefined) => ({
    resource: RESOURCES.pods,
    namespace: "default",
    name: pod?.metadata.name ?? "",
  });
  await plane.store.delete(refOf(first));
  await plane.store.update(refOf(second), (pod) => ({ ...pod, status: { phase: "Failed" } }), {
    subresource: "status",
  });
  await until(async () => {
    const names = (await active()).map(({ metadata }) => metadata.name);
    return names.length === 2 && !names.includes(first?.metadata.name ?? "") &&
      !names.includes(second?.metadata.name ?? "");
  });
  const deployment = { resource: RESOURCES.deployments, namespace: "default", name: "web" };
  await plane.store.update(deployment, (object) => ({
    ...object,
    spec: { ...object["spec"], replicas: 0 },
  }));
  await until(async () => (await active()).length === 0);
});

Deno.test("a pod that fits nowhere says why, and is bound when a node comes", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  await plane.create(RESOURCES.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "big", namespace: "default" },
    spec: {
      containers: [{ name: "main", image: "x", resources: { requests: { cpu: "6" } } }],
    },
  });
  await until(async () => {
    const pod = await plane.get<Pod>(RESOURCES.pods, "big");
    return conditionOf(pod, "PodScheduled")?.message ===
      "0/1 nodes are available: 1 Insufficient cpu.";
  });
  await until(async () =>
    (await plane.list<Event>(RESOURCES.events)).some(({ reason }) => reason === "FailedScheduling")
  );
  await plane.addNode("b", { status: { allocatable: { cpu: "8", memory: "1Gi", pods: "10" } } });
  await until(async () => {
    const pod = await plane.get<Pod>(RESOURCES.pods, "big");
    return pod.spec.nodeName === "b" && conditionOf(pod, "PodScheduled")?.status === "True";
  });
});

Deno.test("a DaemonSet has a pod on every node that fits, follows nodes, and rolls out", async () => {
  await using plane = await startPlane({ nodes: ["a", "b"] });
  await plane.addNode("gpu", {
    spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] },
  });
  await plane.create(RESOURCES.daemonsets, {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "log", namespace: "default" },
    spec: { selector: { matchLabels: { app: "log" } }, template: templateOf("log") },
  });
  const nodes = async (wanted?: string) =>
    (await plane.list<Pod>(RESOURCES.pods)).filter((pod) =>
      isActive(pod) && isReady(pod) && (wanted === undefined || image(pod) === wanted)
    ).map((pod) => pod.spec.nodeName ?? "").sort().join();
  await until(async () => await nodes() === "a,b");
  await plane.addNode("c");
  await until(async () => await nodes() === "a,b,c");
  const ref = { resource: RESOURCES.daemonsets, namespace: "default", name: "log" };
  await setTemplate(plane.store, ref, templateOf("log", "example/app:2"));
  await until(async () => await nodes("example/app:2") === "a,b,c");
  await until(async () => {
    const { status, metadata } = await plane.get<DaemonSet>(RESOURCES.daemonsets, "log");
    return status?.updatedNumberScheduled === 3 && status.numberAvailable === 3 &&
      status.desiredNumberScheduled === 3 && status.observedGeneration === metadata.generation;
  });
});

Deno.test("a Service gets an address and slices with ready pods and named ports", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  plane.healthy = (pod) => pod.metadata.labels?.["bad"] === undefined;
  const template = templateOf("web");
  const main = { name: "main", image: "x", ports: [{ name: "http", containerPort: 8080 }] };
  const spec = { replicas: 2, template: { ...template, spec: { containers: [main] } } };
  await plane.create(RESOURCES.deployments, deploymentOf("web", spec));
  for (const name of ["web", "other"]) {
    await plane.create(RESOURCES.services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { selector: { app: "web" }, ports: [{ name: "web", port: 80, targetPort: "http" }] },
    });
  }
  const slices = async () =>
    (await plane.list<EndpointSlice>(RESOURCES.endpointslices)).filter(({ metadata }) =>
      metadata.labels?.["kubernetes.io/service-name"] === "web"
    );
  await until(async () => {
    const found = await slices();
    return found.length === 1 &&
      found[0]?.endpoints.filter(({ conditions }) => conditions.ready).length === 2;
  });
  const [slice] = await slices();
  assert.deepEqual(slice?.ports, [{ name: "web", port: 8080, protocol: "TCP" }]);
  assert.ok(slice?.endpoints.every(({ nodeName }) => nodeName === "a"));
  await plane.store.update(
    { resource: RESOURCES.services, namespace: "default", name: "web" },
    (web) => ({ ...web, metadata: { ...web.metadata, labels: { "skerry.dev/endpoints": "" } } }),
  );
  await until(async () => (await slices())[0]?.metadata.labels?.["skerry.dev/endpoints"] === "");
  const services = await plane.list<Service>(RESOURCES.services);
  const addresses = services.map(({ spec }) => spec?.clusterIP ?? "");
  assert.equal(new Set(addresses).size, 2);
  for (const address of addresses) assert.match(address, /^10\.96\.\d+\.\d+$/);
  await plane.store.delete({ resource: RESOURCES.services, namespace: "default", name: "web" });
  await until(async () => (await slices()).length === 0);
});

Deno.test("deleting a Deployment removes what it owns: in the background, in the foreground, or not", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  const ref = { resource: RESOURCES.deployments, namespace: "default", name: "web" };
  const count = async () => ({
    deployments: (await plane.list(RESOURCES.deployments)).length,
    sets: (await plane.list(RESOURCES.replicasets)).length,
    pods: (await plane.list(RESOURCES.pods)).length,
  });
  const settled = async (wanted: object) =>
    JSON.stringify(await count()) === JSON.stringify(wanted);
  for (const propagationPolicy of ["Background", "Foreground"] as const) {
    await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 2 }));
    await until(() => settled({ deployments: 1, sets: 1, pods: 2 }));
    await plane.store.delete(ref, { propagationPolicy });
    await until(() => settled({ deployments: 0, sets: 0, pods: 0 }));
  }
  const first = await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 2 }));
  await until(() => settled({ deployments: 1, sets: 1, pods: 2 }));
  await plane.store.delete(ref, { propagationPolicy: "Orphan" });
  await until(() => settled({ deployments: 0, sets: 1, pods: 2 }));
  const [orphan] = await plane.list<ReplicaSet>(RESOURCES.replicasets);
  assert.equal(orphan?.metadata.ownerReferences, undefined);
  // A new Deployment of the same template adopts what was left.
  const second = await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 2 }));
  assert.notEqual(first.metadata.uid, second.metadata.uid);
  await until(async () => {
    const [set] = await plane.list<ReplicaSet>(RESOURCES.replicasets);
    return set?.metadata.ownerReferences?.[0]?.uid === second.metadata.uid;
  });
  assert.deepEqual(await count(), { deployments: 1, sets: 1, pods: 2 });
});

Deno.test("a foreground deletion waits for pods that a node has yet to stop", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 1 }));
  await until(async () => (await plane.list<Pod>(RESOURCES.pods)).some(isReady));
  plane.deaf.add("a");
  await plane.store.delete(
    { resource: RESOURCES.deployments, namespace: "default", name: "web" },
    { propagationPolicy: "Foreground" },
  );
  await until(async () =>
    (await plane.list<Pod>(RESOURCES.pods)).every((pod) => pod.metadata.deletionTimestamp)
  );
  assert.equal((await plane.list(RESOURCES.deployments)).length, 1);
  const [pod] = await plane.list<Pod>(RESOURCES.pods);
  await plane.store.delete(
    { resource: RESOURCES.pods, namespace: "default", name: pod?.metadata.name ?? "" },
    { gracePeriodSeconds: 0 },
  );
  await until(async () => (await plane.list(RESOURCES.deployments)).length === 0);
});

Deno.test("a mirror stays while its Node is there, whatever selects it, and goes with the Node", async () => {
  await using plane = await startPlane({ nodes: ["a", "b"] });
  const { uid = "" } = (await plane.get(RESOURCES.nodes, "a")).metadata;
  await plane.create(RESOURCES.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "static",
      namespace: "default",
      labels: { app: "web" },
      annotations: { "kubernetes.io/config.mirror": "u1" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "a", uid, controller: true }],
    },
    spec: { nodeName: "a", containers: [{ name: "c", image: "example/app:1" }] },
  });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 2 }));
  const named = async () =>
    (await plane.list<Pod>(RESOURCES.pods)).map(({ metadata }) => metadata.name);
  await until(async () => (await named()).length === 3);
  await plane.store.update(
    { resource: RESOURCES.deployments, namespace: "default", name: "web" },
    (object) => ({ ...object, spec: { ...object["spec"], replicas: 0 } }),
  );
  await until(async () => (await named()).length === 1);
  assert.deepEqual(await named(), ["static"]);
  const { metadata } = await plane.get<Pod>(RESOURCES.pods, "static");
  assert.deepEqual(metadata.ownerReferences?.map((owner) => owner.uid), [uid]);
  await plane.store.delete({ resource: RESOURCES.nodes, name: "a" });
  await until(async () => (await named()).length === 0);
});

Deno.test("an object whose owner is of a kind that is not served stays", async () => {
  await using plane = await startPlane();
  const owner = { apiVersion: "example.com/v1", kind: "Thing", name: "x", uid: "u1" };
  const gone = { apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "u2" };
  const config = (name: string, ownerReferences: OwnerReference[]) =>
    plane.create(RESOURCES.configmaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: "default", ownerReferences },
    });
  await config("kept", [owner]);
  await config("trimmed", [owner, gone]);
  await config("removed", [gone]);
  await until(async () => {
    const all = await plane.list(RESOURCES.configmaps);
    return all.map(({ metadata }) => metadata.name).join() === "kept,trimmed" &&
      all[1]?.metadata.ownerReferences?.length === 1;
  });
});

Deno.test("a deleted namespace is emptied, then goes; every namespace has a service account", async () => {
  await using plane = await startPlane({ nodes: ["a"] });
  await plane.create(RESOURCES.namespaces, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "team" },
  });
  const accounts = async () =>
    (await plane.list(RESOURCES.serviceaccounts)).map(({ metadata }) => metadata.namespace ?? "");
  await until(async () => (await accounts()).includes("team"));
  for (const namespace of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    assert.ok((await accounts()).includes(namespace), namespace);
  }
  const deployment = deploymentOf("web", { replicas: 1 });
  const metadata = { name: "web", namespace: "team" };
  await until(async () =>
    (await plane.get<Namespace>(RESOURCES.namespaces, "team")).spec?.finalizers?.length === 1
  );
  await plane.create(RESOURCES.deployments, { ...deployment, metadata });
  await until(async () => (await plane.list<Pod>(RESOURCES.pods, "team")).some(isReady));
  plane.deaf.add("a");
  await plane.store.delete({ resource: RESOURCES.namespaces, name: "team" });
  await until(async () =>
    (await plane.list<Pod>(RESOURCES.pods, "team")).every((pod) => pod.metadata.deletionTimestamp)
  );
  // The node has not stopped the pod yet, so the namespace must still be there.
  const team = await plane.get<Namespace>(RESOURCES.namespaces, "team");
  assert.equal(team.status?.phase, "Terminating");
  for (const pod of await plane.list<Pod>(RESOURCES.pods, "team")) {
    const { name } = pod.metadata;
    await plane.store.delete({ resource: RESOURCES.pods, namespace: "team", name }, {
      gracePeriodSeconds: 0,
    });
  }
  await until(async () => {
    try {
      await plane.get(RESOURCES.namespaces, "team");
      return false;
    } catch (error) {
      return isAppError(error, "NotFound");
    }
  });
  for (const resource of [RESOURCES.deployments, RESOURCES.replicasets, RESOURCES.events]) {
    assert.deepEqual(await plane.list(resource, "team"), []);
  }
});

Deno.test("a plane that starts anew over the same store changes nothing that is as it should be", async () => {
  await using plane = await startPlane({ nodes: ["a", "b"] });
  await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 3 }));
  await until(async () => {
    const deployment = await plane.get<Deployment>(RESOURCES.deployments, "web");
    return deployment.status?.availableReplicas === 3 &&
      conditionOf(deployment, "Progressing")?.reason === "NewReplicaSetAvailable";
  });
  const state = async () =>
    JSON.stringify([
      await plane.list(RESOURCES.deployments),
      await plane.list(RESOURCES.replicasets),
      await plane.list(RESOURCES.pods),
    ]);
  await plane.store.get({ resource: RESOURCES.deployments, namespace: "default", name: "web" });
  const before = await state();
  await plane.restart();
  // A marker that a controller must have dealt with after its first look at everything else.
  await plane.create(RESOURCES.deployments, deploymentOf("marker", { replicas: 1 }));
  await until(async () =>
    (await plane.get<Deployment>(RESOURCES.deployments, "marker")).status?.availableReplicas === 1
  );
  await plane.store.delete(
    { resource: RESOURCES.deployments, namespace: "default", name: "marker" },
    { propagationPolicy: "Foreground" },
  );
  await until(async () => (await plane.list(RESOURCES.deployments)).length === 1);
  assert.equal(await state(), before);
});
