import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { type Node, type Pod, type PodSpec, RESOURCES, type Taint } from "../../core/api/mod.ts";
import { seconds, toTime, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { Verdicts } from "./verdicts.ts";

function podOf(name: string, spec: Partial<PodSpec> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: name },
    spec: {
      containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1" } } }],
      ...spec,
    },
  };
}

/** A node with two cores, and what became known of its pods. */
function bed(active: readonly Pod[]) {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const hub = { linked: false };
  const looks: string[] = [];
  const events: string[] = [];
  const verdicts = new Verdicts({
    node: "n1",
    store,
    clock,
    isOwn: ({ metadata }) => metadata.name === "own",
    linked: () => hub.linked,
    pressures: () => new Set(),
    allowedUnsafeSysctls: [],
    evicted: (uid) => uid === "evicted" ? { reason: "Evicted", message: "low" } : undefined,
    active: () => active,
    look: (uid) => looks.push(uid),
    podEvent: (pod, { reason }) => events.push(`${pod.metadata.name} ${reason}`),
  });
  const taint = (...taints: Taint[]): void => {
    const node: Node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n1" },
      spec: { taints },
      status: { allocatable: { cpu: "2", pods: "110" } },
    };
    store.transact((tx) => tx.put(RESOURCES.nodes, node));
  };
  return { clock, store, verdicts, looks, events, taint, hub };
}

Deno.test("Verdicts lets all in before the node knows itself, but for what no node lets in", () => {
  const { store, verdicts } = bed([]);
  using _store = store;
  strictEqual(verdicts.admit(podOf("a"), [podOf("b"), podOf("c"), podOf("d")]), undefined);
  const sysctls = [{ name: "vm.swappiness", value: "1" }];
  const greedy = podOf("greedy", { securityContext: { sysctls } });
  strictEqual(verdicts.admit(greedy, [])?.reason, "SysctlForbidden");
});

Deno.test("Verdicts ends pods for a critical one, and counts them no more", () => {
  const { store, verdicts, looks, events, taint } = bed([]);
  using _store = store;
  taint();
  const others = [podOf("a"), podOf("b")];
  strictEqual(verdicts.admit(podOf("c"), others)?.reason, "OutOfcpu");
  strictEqual(verdicts.admit(podOf("vital", { priority: 2e9 }), others), undefined);
  deepStrictEqual([looks, events], [["a"], ["a Preempting"]]);
  strictEqual(verdicts.terminate(podOf("a"))?.message, "Preempted in order to admit critical pod");
  strictEqual(verdicts.terminate(podOf("b")), undefined);
  // The one that ends makes room once.
  const next = verdicts.admit(podOf("other", { priority: 2e9 }), [...others, podOf("vital")]);
  strictEqual(next, undefined);
  deepStrictEqual(looks, ["a", "b"]);
});

Deno.test("Verdicts asks eviction first", () => {
  const { store, verdicts } = bed([]);
  using _store = store;
  strictEqual(verdicts.terminate(podOf("evicted"))?.reason, "Evicted");
});

Deno.test("Verdicts ends pods when their time under a taint has come and the hub is not heard", async () => {
  const patient = podOf("patient", {
    tolerations: [{ operator: "Exists", tolerationSeconds: 60 }],
  });
  const [plain, own] = [podOf("plain"), podOf("own")];
  const { clock, store, verdicts, looks, events, taint, hub } = bed([patient, plain, own]);
  using _store = store;
  const stop = new AbortController();
  const running = verdicts.run(stop.signal, () => {});
  taint();
  await clock.advance(seconds(20));
  deepStrictEqual(looks, []);
  const timeAdded = toTime(clock.now());
  taint({ key: "repair", effect: "NoExecute", timeAdded });
  hub.linked = true;
  await clock.advance(seconds(20));
  deepStrictEqual(looks, [], "the hub judges");
  strictEqual(verdicts.terminate(plain), undefined);
  hub.linked = false;
  await clock.advance(seconds(10));
  deepStrictEqual(looks, ["plain"]);
  strictEqual(verdicts.terminate(plain)?.reason, "TaintManagerEviction");
  strictEqual(verdicts.terminate(patient), undefined);
  strictEqual(verdicts.terminate(own), undefined);
  await clock.advance(seconds(35));
  deepStrictEqual(looks, ["plain", "patient"]);
  strictEqual(verdicts.terminate(patient)?.reason, "TaintManagerEviction");
  deepStrictEqual(events, ["plain TaintManagerEviction", "patient TaintManagerEviction"]);
  stop.abort();
  await running;
  strictEqual(clock.size, 0);
});
