import { match, strictEqual } from "node:assert/strict";
import type { Lease, Node } from "../core/api/mod.ts";
import { ms, toMicroTime } from "../core/base/mod.ts";
import { clusterStatus, type ClusterView } from "./cluster_status.ts";

const NOW = ms(Date.UTC(2026, 0, 2, 3, 4, 5));

function lease(name: string, holder: string, age: number, hub = false): Lease {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name,
      ...(hub
        ? {
          labels: { "skerry.dev/hub": "true" },
          annotations: {
            "skerry.dev/kubelet-address": "10.0.0.9",
            "skerry.dev/peer": "10.0.0.9:1",
          },
        }
        : {}),
    },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: 40,
      renewTime: toMicroTime(ms(NOW - age * 1000)),
    },
  };
}

function node(name: string, kubeletVersion: string, ready: string): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { nodeInfo: { kubeletVersion }, conditions: [{ type: "Ready", status: ready }] },
  } as Node;
}

const EMPTY: ClusterView = {
  server: "https://api:6443",
  version: "v1.36.2",
  hubs: [],
  nodes: [],
  leases: [],
};

Deno.test("clusterStatus() shows hubs and gateways by their Leases, and no other nodes", () => {
  const text = clusterStatus({
    ...EMPTY,
    hubs: [
      lease("skerry-hub-leader", "a", 1),
      lease("skerry-hub-a", "a", 5, true),
      lease("skerry-hub-b", "b", 60, true),
    ],
    nodes: [
      node("near", "v1.34.0-skerry.0.1.0", "True"),
      node("far", "v1.34.0-skerry.0.1.0", "Unknown"),
      node("new", "v1.34.0-skerry.0.1.0", "True"),
      node("other", "v1.36.2", "True"),
    ],
    leases: [lease("near", "near", 9), lease("far", "far", 41), lease("other", "other", 1)],
  }, NOW);
  match(text, /^cluster v1\.36\.2 at https:\/\/api:6443$/m);
  match(text, /^a +up +yes +2026-01-02T03:04:00\S* +10\.0\.0\.9 +10\.0\.0\.9:1$/m);
  match(text, /^b +silent +no /m);
  match(text, /^near +connected +True +2026\S+ +v1\.34\.0-skerry\.0\.1\.0$/m);
  match(text, /^far +away +Unknown +2026/m);
  match(text, /^new +away +True +never /m);
  strictEqual(text.includes("other"), false);
});

Deno.test("clusterStatus() shows no leader when the Lease to lead by has run out", () => {
  const hubs = [lease("skerry-hub-leader", "a", 41), lease("skerry-hub-a", "a", 5, true)];
  match(clusterStatus({ ...EMPTY, hubs }, NOW), /^a +up +no /m);
});

Deno.test("clusterStatus() says what to do where there is no hub and no gateway", () => {
  const text = clusterStatus(EMPTY, NOW);
  match(text, /^no hub: namespace skerry-system .*docs\/install-kubernetes\.md/m);
  match(text, /^no gateways: deno task skerry token create --node NAME/m);
});
