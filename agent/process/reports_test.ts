import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { type Event, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { seconds, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { EventReports, podReports, reportAll } from "./reports.ts";

function pod(name: string, node: string, phase?: "Running"): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: `uid-${name}` },
    spec: { nodeName: node, containers: [{ name: "c", image: "i" }] },
    ...(phase ? { status: { phase } } : {}),
  };
}

Deno.test("reportAll() sends the node and every pod of it that has a status, once each", () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1", uid: "n" } };
  store.transact((tx) => {
    tx.put(RESOURCES.nodes, node);
    tx.put(RESOURCES.pods, pod("mine", "n1", "Running"));
    tx.put(RESOURCES.pods, pod("new", "n1"));
    tx.put(RESOURCES.pods, pod("other", "n2", "Running"));
  });
  const sent: NewIntent[] = [];
  const taints = [{ key: "edge", effect: "NoSchedule" as const }];
  reportAll({ store, enqueue: (_tx, intent) => sent.push(intent), node: "n1", taints });
  deepStrictEqual(sent.map(({ key }) => key), ["node", "pod-status/uid-mine"]);
  // By this report a Node that was deleted is made anew.
  deepStrictEqual((sent[0]?.body as { node: Node }).node.spec, { taints });
});

Deno.test("EventReports tells of the same event of a pod as one that counts up", () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const sent: NewIntent[] = [];
  const events = new EventReports((_tx, intent) => sent.push(intent), "n1", new VirtualClock());
  const reports = podReports(() => {}, events);
  const event = { type: "Warning", reason: "BackOff", message: "Back-off" } as const;
  store.transact((tx) => {
    reports.event(tx, pod("web", "n1"), { ...event, fieldPath: "spec.containers{c}" });
    reports.event(tx, pod("web", "n1"), { ...event, fieldPath: "spec.containers{c}" });
    reports.event(tx, pod("web", "n1"), { ...event, reason: "Failed" });
    reports.event(tx, pod("api", "n1"), event);
    reports.event(tx, pod("a".repeat(253), "n1"), event);
    events.node(tx, { ...event, reason: "NodeNotReady" });
  });
  const bodies = sent.map(({ body }) => (body as { event: Event }).event);
  // By which `kubectl get events --field-selector source=kubelet` finds them.
  for (const { source } of bodies) deepStrictEqual(source, { component: "kubelet", host: "n1" });
  strictEqual(sent[0]?.key, sent[1]?.key);
  strictEqual(new Set(sent.map(({ key }) => key)).size, 5);
  deepStrictEqual(bodies.map(({ count }) => count), [1, 2, 1, 1, 1, 1]);
  deepStrictEqual(bodies[0]?.involvedObject, {
    apiVersion: "v1",
    kind: "Pod",
    namespace: "default",
    name: "web",
    uid: "uid-web",
    fieldPath: "spec.containers{c}",
  });
  strictEqual(bodies[4]?.metadata.name.length, 253);
  const { metadata, involvedObject, reason } = bodies[5] as Event;
  deepStrictEqual(involvedObject, { apiVersion: "v1", kind: "Node", name: "n1", uid: "n1" });
  strictEqual(metadata.namespace, "default");
  strictEqual(reason, "NodeNotReady");
  const kept = store.transact((tx) => tx.list(RESOURCES.events)) as Event[];
  const own = kept.find((one) => one.metadata.name === bodies[1]?.metadata.name);
  deepStrictEqual([kept.length, own?.count, own?.reason], [5, 2, "BackOff"]);
});

Deno.test("EventReports keeps some five hundred Events at the node, the newest", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const events = new EventReports(() => {}, "n1", clock);
  for (let i = 0; i < 700; i++) {
    store.transact((tx) =>
      events.pod(tx, pod(`p${i}`, "n1"), { type: "Normal", reason: "Started", message: "up" })
    );
    await clock.advance(seconds(1));
  }
  const kept = store.transact((tx) => tx.list(RESOURCES.events)) as Event[];
  const numbers = kept.map(({ involvedObject }) => Number(involvedObject.name?.slice(1)));
  strictEqual(kept.length >= 500 && kept.length < 564, true, `${kept.length} are kept`);
  strictEqual(Math.min(...numbers), 700 - kept.length);
});
