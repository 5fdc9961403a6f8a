import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { podReports, reportAll } from "./reports.ts";

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
  reportAll(store, (_tx, intent) => sent.push(intent), "n1");
  deepStrictEqual(sent.map(({ key }) => key), ["node", "pod-status/uid-mine"]);
});

Deno.test("podReports() names one event of a pod alike each time, so that it counts up", () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const sent: NewIntent[] = [];
  const reports = podReports((_tx, intent) => sent.push(intent), "n1", new VirtualClock());
  const event = { type: "Warning", reason: "BackOff", message: "Back-off" } as const;
  store.transact((tx) => {
    reports.event(tx, pod("web", "n1"), event);
    reports.event(tx, pod("web", "n1"), event);
    reports.event(tx, pod("web", "n1"), { ...event, reason: "Failed" });
    reports.event(tx, pod("api", "n1"), event);
  });
  const keys = sent.map(({ key }) => key);
  strictEqual(keys[0], keys[1]);
  strictEqual(new Set(keys).size, 3);
  const long = pod("a".repeat(253), "n1");
  store.transact((tx) => reports.event(tx, long, event));
  const made = (sent.at(-1)?.body as { event: { metadata: { name: string } } }).event;
  strictEqual(made.metadata.name.length, 253);
  const body = sent[0]?.body as { event: { involvedObject: { uid: string }; reason: string } };
  strictEqual(body.event.involvedObject.uid, "uid-web");
  strictEqual(body.event.reason, "BackOff");
});
