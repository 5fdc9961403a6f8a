import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DaemonSet,
  type Deployment,
  type Pod,
  type ReplicaSet,
  type Service,
} from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import type { Action } from "../../core/control/mod.ts";
import { allocate, parseRange } from "./cluster_ip.ts";
import { planDaemonSet } from "./daemonset.ts";
import { deploymentStatus } from "./deployment_status.ts";
import { planEndpoints } from "./endpoints.ts";
import { decideDependent, type OwnerState } from "./gc.ts";
import { readyNode, templateOf } from "./harness_test_helper.ts";
import { planReplicaSet, victims } from "./replicaset.ts";
import { boundsOf, newSetReplicas, shrinkOld } from "./rollout.ts";
import { hashOf } from "./hash.ts";
import { resolveCount, sameTemplate, templateHash } from "./template.ts";

const NOW = Date.UTC(2026, 0, 1) as Ms;
const at = (seconds: number) => toTime((NOW + seconds * 1000) as Ms);

function podOf(name: string, more: Partial<Pod> & { ready?: boolean; since?: number } = {}): Pod {
  const { ready, since = -100, metadata, spec, status, ...rest } = more;
  return {
    apiVersion: "v1",
    kind: "Pod",
    ...rest,
    metadata: {
      namespace: "default",
      uid: `uid-${name}`,
      labels: { app: "web" },
      creationTimestamp: at(-1000),
      ...metadata,
      name,
    },
    spec: { nodeName: "a", containers: [], ...spec },
    status: {
      phase: "Running",
      ...(ready === undefined ? {} : {
        conditions: [{
          type: "Ready",
          status: ready ? "True" : "False",
          lastTransitionTime: at(since),
        }],
      }),
      ...status,
    },
  };
}

const SET: ReplicaSet = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "web-1", namespace: "default", uid: "set", generation: 1 },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    template: templateOf("web"),
  },
};
const OWNER = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-1", controller: true };
const mine = (uid = "set") => ({ ownerReferences: [{ ...OWNER, uid }] });

/** What a plan does, in short. */
function tell(actions: readonly Action[]): string[] {
  return actions.map(({ do: what, object }) =>
    what === "create" ? `create ${object.kind}` : `${what} ${object.kind} ${object.metadata.name}`
  );
}

Deno.test("planReplicaSet() makes what is missing and says what there is", () => {
  const plan = planReplicaSet(SET, [], NOW);
  assert.deepEqual(tell(plan.actions), ["create Pod", "create Pod", "status ReplicaSet web-1"]);
  const [created] = plan.actions;
  assert.equal(created?.object.metadata.generateName, "web-1-");
  assert.equal(created?.object.metadata.ownerReferences?.[0]?.uid, "set");
  assert.equal(created?.object["spec"].restartPolicy, "Always");
  assert.equal(plan.actions.at(-1)?.object["status"].replicas, 0);
});

Deno.test("planReplicaSet() adopts orphans that match, releases its own that do not, leaves others'", () => {
  const pods = [
    podOf("orphan"),
    podOf("lost", { metadata: { name: "lost", ...mine(), labels: { app: "other" } } }),
    podOf("foreign", { metadata: { name: "foreign", ...mine("other") } }),
    podOf("going", { metadata: { name: "going", deletionTimestamp: at(0) } }),
  ];
  const plan = planReplicaSet(SET, pods, NOW);
  assert.deepEqual(tell(plan.actions), [
    "update Pod orphan",
    "update Pod lost",
    "create Pod",
    "status ReplicaSet web-1",
  ]);
  assert.equal(plan.actions[0]?.object.metadata.ownerReferences?.[0]?.uid, "set");
  assert.deepEqual(plan.actions[1]?.object.metadata.ownerReferences, []);
});

Deno.test("planReplicaSet() neither adopts, counts nor removes mirrors of static pods", () => {
  const annotations = { "kubernetes.io/config.mirror": "u" };
  const mirrors = ["a", "b", "c"].map((name) =>
    podOf(name, {
      metadata: { name, annotations, labels: { app: "web" }, ...(name === "c" ? mine() : {}) },
    })
  );
  const { actions } = planReplicaSet(SET, mirrors, NOW);
  assert.deepEqual(tell(actions), ["create Pod", "create Pod", "status ReplicaSet web-1"]);
});

Deno.test("planReplicaSet() does nothing for a set on its way out, or without a selector", () => {
  const leaving = { ...SET, metadata: { ...SET.metadata, deletionTimestamp: at(0) } };
  assert.deepEqual(tell(planReplicaSet(leaving, [], NOW).actions), ["status ReplicaSet web-1"]);
  const greedy = { ...SET, spec: { ...SET.spec, selector: {} } };
  const plan = planReplicaSet(greedy, [podOf("a"), podOf("b"), podOf("c")], NOW);
  assert.ok(!tell(plan.actions).some((step) => step.startsWith("update")));
});

Deno.test("planReplicaSet() counts a pod as available after minReadySeconds, and looks again then", () => {
  const set = { ...SET, spec: { ...SET.spec, replicas: 1, minReadySeconds: 30 } };
  const pod = (since: number) =>
    podOf("a", { ready: true, since, metadata: { name: "a", ...mine() } });
  const early = planReplicaSet(set, [pod(-10)], NOW);
  assert.equal(early.actions[0]?.object["status"].availableReplicas, 0);
  assert.equal(early.actions[0]?.object["status"].readyReplicas, 1);
  assert.equal(early.again, 20_000);
  const late = planReplicaSet(set, [pod(-30)], NOW);
  assert.equal(late.actions[0]?.object["status"].availableReplicas, 1);
  assert.equal(late.again, undefined);
});

Deno.test("victims() picks the pods whose loss hurts least", () => {
  const cost = { annotations: { "controller.kubernetes.io/pod-deletion-cost": "-5" } };
  const pods = [
    podOf("old", { ready: true, since: -900 }),
    podOf("young", { ready: true, since: -10 }),
    podOf("cheap", { ready: true, since: -900, metadata: { name: "cheap", ...cost } }),
    podOf("unready", { ready: false }),
    podOf("pending", { status: { phase: "Pending" } }),
    podOf("unbound", { spec: { nodeName: "", containers: [] }, status: { phase: "Pending" } }),
  ];
  const order = victims(pods, 6).map(({ metadata }) => metadata.name);
  assert.deepEqual(order, ["unbound", "pending", "unready", "cheap", "young", "old"]);
  const crowded = [
    podOf("alone", { ready: true, spec: { nodeName: "b", containers: [] } }),
    podOf("one", { ready: true }),
    podOf("two", { ready: true }),
  ];
  assert.notEqual(victims(crowded, 1)[0]?.metadata.name, "alone");
});

Deno.test("planReplicaSet() removes exactly the surplus", () => {
  fc.assert(fc.property(fc.nat(12), fc.nat(12), (wanted, have) => {
    const set = { ...SET, spec: { ...SET.spec, replicas: wanted } };
    const pods = Array.from(
      { length: have },
      (_, i) => podOf(`p${i}`, { ready: i % 2 === 0, metadata: { name: `p${i}`, ...mine() } }),
    );
    const { actions } = planReplicaSet(set, pods, NOW);
    const count = (what: string) => actions.filter((action) => action.do === what).length;
    assert.equal(have + count("create") - count("delete"), wanted);
    assert.ok(count("create") === 0 || count("delete") === 0);
  }));
});

const DEPLOYMENT: Deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", uid: "dep", generation: 2 },
  spec: { replicas: 10, selector: { matchLabels: { app: "web" } }, template: templateOf("web") },
};
const rolling = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) => ({
  ...DEPLOYMENT,
  spec: {
    ...DEPLOYMENT.spec,
    replicas,
    strategy: { type: "RollingUpdate" as const, rollingUpdate: { maxSurge, maxUnavailable } },
  },
});
const setOf = (name: string, replicas: number, available: number): ReplicaSet => ({
  ...SET,
  metadata: { ...SET.metadata, name, uid: name },
  spec: { ...SET.spec, replicas },
  status: { replicas, availableReplicas: available, readyReplicas: available },
});

Deno.test("boundsOf() rounds surge up and unavailable down, and never stands still", () => {
  assert.deepEqual(boundsOf(DEPLOYMENT), { surge: 3, unavailable: 2 });
  assert.deepEqual(boundsOf(rolling(1, "25%", "25%")), { surge: 1, unavailable: 0 });
  assert.deepEqual(boundsOf(rolling(3, 0, "10%")), { surge: 0, unavailable: 1 });
  assert.deepEqual(boundsOf(rolling(2, 1, 5)), { surge: 1, unavailable: 2 });
  assert.equal(resolveCount("rubbish", 10, "up"), 0);
  assert.equal(resolveCount(-3, 10, "up"), 0);
});

Deno.test("a rollout by rule stays within its bounds and ends, whatever its numbers", () => {
  const numbers = fc.record({
    replicas: fc.integer({ min: 0, max: 30 }),
    surge: fc.oneof(fc.nat(10), fc.nat(150).map((n) => `${n}%`)),
    unavailable: fc.oneof(fc.nat(10), fc.nat(100).map((n) => `${n}%`)),
    start: fc.integer({ min: 0, max: 30 }),
    turns: fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
  });
  fc.assert(fc.property(numbers, ({ replicas, surge, unavailable, start, turns }) => {
    const deployment = rolling(replicas, surge, unavailable);
    const bounds = boundsOf(deployment);
    let current = setOf("new", 0, 0);
    let old = [setOf("old-1", start, start), setOf("old-2", 1, 0)];
    const most = Math.max(replicas + bounds.surge, start + 1);
    let step = 0;
    for (; step < 500; step++) {
      const wanted = newSetReplicas(deployment, { current, old });
      const { replicas: has = 0 } = current.spec;
      if (wanted !== has) current = setOf("new", wanted, current.status?.availableReplicas ?? 0);
      else {
        const scalings = shrinkOld(deployment, { current, old });
        old = old.map((set) => {
          const scaled = scalings.find((one) => one.set === set);
          if (!scaled) return set;
          assert.ok(scaled.replicas < (set.spec.replicas ?? 0), "an old set grew");
          const available = Math.min(set.status?.availableReplicas ?? 0, scaled.replicas);
          return setOf(set.metadata.name, scaled.replicas, available);
        });
      }
      const sets = [...old, current];
      const total = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
      const available = sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
      assert.ok(total <= most, `${total} pods, at most ${most} allowed`);
      const least = Math.min(start, replicas - bounds.unavailable);
      assert.ok(available >= least, `${available} available, at least ${least} wanted`);
      // Some more of the new pods get ready.
      const ready = (current.status?.availableReplicas ?? 0) + (turns.next().value ?? 1);
      current = setOf(
        "new",
        current.spec.replicas ?? 0,
        Math.min(ready, current.spec.replicas ?? 0),
      );
      if (current.spec.replicas === replicas && old.every((set) => set.spec.replicas === 0)) break;
    }
    assert.ok(step < 500, "the rollout does not end");
  }));
});

Deno.test("deploymentStatus() speaks the words that kubectl rollout status reads", () => {
  const status = (deployment: Deployment, sets: ReplicaSet[], now = NOW) =>
    deploymentStatus(deployment, { current: sets[0], sets, now }).status;
  const reason = (value: ReturnType<typeof status>, type = "Progressing") =>
    value.conditions?.find((condition) => condition.type === type)?.reason;
  const small = rolling(2, 1, 0);
  const begun = status(small, [setOf("new", 1, 0), setOf("old", 2, 2)]);
  assert.equal(reason(begun), "NewReplicaSetCreated");
  assert.equal(reason(begun, "Available"), "MinimumReplicasAvailable");
  assert.deepEqual([begun.replicas, begun.updatedReplicas, begun.unavailableReplicas], [3, 1, 0]);
  const later = { ...small, status: begun };
  const moved = status(later, [setOf("new", 1, 1), setOf("old", 1, 1)], (NOW + 5000) as Ms);
  assert.equal(reason(moved), "ReplicaSetUpdated");
  const stuck = { ...small, status: moved };
  const late = (NOW + 5000 + 601_000) as Ms;
  const dead = status(stuck, [setOf("new", 1, 1), setOf("old", 1, 1)], late);
  assert.equal(reason(dead), "ProgressDeadlineExceeded");
  const done = status({ ...small, status: dead }, [setOf("new", 2, 2)], late);
  assert.equal(reason(done), "NewReplicaSetAvailable");
  const paused = { ...small, spec: { ...small.spec, paused: true } };
  assert.equal(reason(status(paused, [setOf("new", 1, 0)])), "DeploymentPaused");
});

Deno.test("templates are told apart by what they say and not by its order or the hash label", () => {
  const a = templateOf("web");
  const b = { spec: a.spec, metadata: { labels: { "pod-template-hash": "x", app: "web" } } };
  assert.ok(sameTemplate(a, b));
  assert.equal(templateHash(a), templateHash(b));
  assert.notEqual(templateHash(a), templateHash(templateOf("web", "example/app:2")));
  assert.notEqual(templateHash(a), templateHash(a, 1));
  assert.match(templateHash(a), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
    const turned = Object.fromEntries(Object.entries(value).reverse());
    assert.equal(hashOf(value), hashOf(turned));
  }));
});

const DAEMON: DaemonSet = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "log", namespace: "default", uid: "ds", generation: 1 },
  spec: { selector: { matchLabels: { app: "web" } }, template: templateOf("web") },
};
const daemonPod = (node: string, hash = templateHash(DAEMON.spec.template), ready = true) =>
  podOf(`log-${node}`, {
    ready,
    metadata: {
      name: `log-${node}`,
      labels: { app: "web", "controller-revision-hash": hash },
      ownerReferences: [{ ...OWNER, kind: "DaemonSet", name: "log", uid: "ds" }],
    },
    spec: { nodeName: node, containers: [] },
  });
const noExecute = { key: "x", effect: "NoExecute" } as const;

Deno.test("planDaemonSet() pins pods to nodes with Kubernetes' tolerations, not-ready nodes as well", () => {
  const off = readyNode("b", { status: { conditions: [{ type: "Ready", status: "Unknown" }] } });
  const cordoned = readyNode("c", { spec: { unschedulable: true } });
  const nodes = [readyNode("a"), off, cordoned];
  const { actions } = planDaemonSet({ set: DAEMON, nodes, pods: [], now: NOW });
  assert.deepEqual(tell(actions), [
    "create Pod",
    "create Pod",
    "create Pod",
    "status DaemonSet log",
  ]);
  const pod = actions[0]?.object as Pod;
  assert.equal(pod.spec.nodeName, undefined);
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  assert.deepEqual(required?.nodeSelectorTerms, [{
    matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }],
  }]);
  assert.equal(pod.spec.tolerations?.length, 6);
});

Deno.test("planDaemonSet() removes extra, failed and unwanted pods, and waits for those on their way out", () => {
  const failed = { ...daemonPod("b"), status: { phase: "Failed" as const } };
  const going = daemonPod("c");
  going.metadata.deletionTimestamp = at(0);
  const extra = daemonPod("a");
  extra.metadata = { ...extra.metadata, name: "log-a2", uid: "a2", creationTimestamp: at(-1) };
  const nodes = [
    readyNode("a"),
    readyNode("b"),
    readyNode("c"),
    readyNode("d", { spec: { taints: [noExecute] } }),
    readyNode("e", { spec: { taints: [{ key: "x", effect: "NoSchedule" }] } }),
  ];
  const pods = [daemonPod("a"), extra, failed, going, daemonPod("d"), daemonPod("e")];
  const { actions } = planDaemonSet({ set: DAEMON, nodes, pods, now: NOW });
  assert.deepEqual(tell(actions), [
    "delete Pod log-a2",
    "delete Pod log-b",
    "delete Pod log-d",
    "status DaemonSet log",
  ]);
  assert.equal(actions.at(-1)?.object["status"].numberMisscheduled, 2);
});

Deno.test("planDaemonSet() replaces old pods one by one, broken ones at once", () => {
  const nodes = ["a", "b", "c"].map((name) => readyNode(name));
  const deleted = (pods: Pod[]) =>
    tell(planDaemonSet({ set: DAEMON, nodes, pods, now: NOW }).actions)
      .filter((step) => step.startsWith("delete"));
  assert.deepEqual(deleted(["a", "b", "c"].map((node) => daemonPod(node, "old"))), [
    "delete Pod log-a",
  ]);
  // One new pod is not ready yet: that is the one that may be missing.
  const midway = [daemonPod("a", undefined, false), daemonPod("b", "old"), daemonPod("c", "old")];
  assert.deepEqual(deleted(midway), []);
  const broken = [daemonPod("a"), daemonPod("b", "old", false), daemonPod("c", "old", false)];
  assert.deepEqual(deleted(broken).sort(), ["delete Pod log-b", "delete Pod log-c"]);
});

const SERVICE: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default", uid: "svc" },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
};
const served = (name: string, containerPort: number, ready = true, podIP = "10.0.0.1") =>
  podOf(name, {
    ready,
    spec: {
      nodeName: "a",
      containers: [{ name: "c", image: "x", ports: [{ name: "http", containerPort }] }],
    },
    status: { phase: "Running", podIP },
  });

Deno.test("planEndpoints() puts pods with other port numbers in other slices, and is stable", () => {
  const ready = { conditions: [{ type: "Ready" as const, status: "True" as const }] };
  const withIp = (pod: Pod): Pod => ({ ...pod, status: { ...pod.status, ...ready } });
  const pods = [served("a", 8080), served("b", 8080), served("c", 9090)].map(withIp);
  const first = planEndpoints(SERVICE, pods, []);
  assert.deepEqual(tell(first.actions), ["create EndpointSlice", "create EndpointSlice"]);
  const slices = first.actions.map(({ object }) => object as never);
  assert.deepEqual(planEndpoints(SERVICE, [...pods].reverse(), slices).actions, []);
  const fewer = planEndpoints(SERVICE, pods.slice(0, 1), slices);
  assert.deepEqual(fewer.actions.map((action) => action.do), ["update", "delete"]);
});

Deno.test("planEndpoints() leaves out pods without an address and ended ones, and marks the leaving", () => {
  const leaving = served("l", 80);
  leaving.metadata.deletionTimestamp = at(0);
  leaving.status = { ...leaving.status, conditions: [{ type: "Ready", status: "True" }] };
  const ended = { ...served("e", 80), status: { phase: "Failed" as const, podIP: "10.0.0.2" } };
  const pods = [leaving, ended, served("none", 80, true, "")];
  const { actions } = planEndpoints(SERVICE, pods, []);
  const [endpoint, ...more] = actions[0]?.object["endpoints"] ?? [];
  assert.equal(more.length, 0);
  assert.deepEqual(endpoint.conditions, { ready: false, serving: true, terminating: true });
  const bare = { ...SERVICE, spec: { ports: [{ port: 80 }] } };
  assert.deepEqual(planEndpoints(bare, pods, []).actions, []);
});

Deno.test("allocate() gives every Service an address of its own until none is left", () => {
  const range = parseRange("10.96.0.0/28");
  const taken = new Set<string>();
  for (let i = 0; i < 13; i++) {
    const address = allocate(range, { key: `default/s${i}`, taken });
    assert.ok(address && !taken.has(address));
    assert.match(address, /^10\.96\.0\.([2-9]|1[0-4])$/);
    taken.add(address);
  }
  assert.equal(allocate(range, { key: "default/more", taken }), undefined);
  for (const bad of ["", "10.96.0.0", "10.96.0.300/16", "10.0.0.0/8", "10.0.0.0/31", "::/64"]) {
    assert.throws(() => parseRange(bad), RangeError, bad);
  }
});

Deno.test("decideDependent() removes only what certainly nobody owns", () => {
  const owners = (...states: OwnerState[]) =>
    states.map((state, i) => ({ reference: { ...OWNER, uid: `u${i}` }, state }));
  const told = (...states: OwnerState[]) => {
    const verdict = decideDependent(owners(...states));
    return verdict.do === "drop" ? `drop ${verdict.uids}` : verdict.do;
  };
  assert.equal(told(), "keep");
  assert.equal(told("there"), "keep");
  assert.equal(told("unknown"), "keep");
  assert.equal(told("gone"), "remove");
  assert.equal(told("gone", "there"), "drop u0");
  assert.equal(told("gone", "unknown"), "drop u0");
  assert.equal(told("leaving"), "remove");
  assert.equal(told("leaving", "gone"), "remove");
  assert.equal(told("leaving", "there"), "drop u0");
});
