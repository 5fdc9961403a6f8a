import assert from "node:assert/strict";
import { type KubeObject, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { isAppError, systemClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensurePriorityClasses, PodAdmission } from "./pod_admission.ts";

async function inStore(body: (store: PodAdmission) => Promise<void>): Promise<void> {
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  await ensurePriorityClasses(store);
  await ensurePriorityClasses(store);
  await body(new PodAdmission(store));
}

async function admitted(store: PodAdmission, spec: Partial<Pod["spec"]>): Promise<Pod["spec"]> {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "", generateName: "p-", namespace: "default" },
    spec: { containers: [], ...spec },
  };
  return (await store.create(RESOURCES.pods, pod) as Pod).spec;
}

async function addPriority(
  store: PodAdmission,
  name: string,
  more: Record<string, unknown>,
): Promise<void> {
  await store.create(RESOURCES.priorityclasses, { metadata: { name }, ...more } as KubeObject);
}

Deno.test("PodAdmission gives a pod the priority of its class, or of the one for all", () =>
  inStore(async (store) => {
    assert.equal((await admitted(store, {})).priority, 0);
    await addPriority(store, "high", { value: 500, preemptionPolicy: "Never" });
    await addPriority(store, "usual", { value: 7, globalDefault: true });
    await addPriority(store, "twice", { value: 9, globalDefault: true });
    const high = await admitted(store, { priorityClassName: "high" });
    assert.deepEqual([high.priority, high.preemptionPolicy], [500, "Never"]);
    const usual = await admitted(store, {});
    assert.deepEqual([usual.priority, usual.priorityClassName], [7, "usual"]);
    const system = await admitted(store, { priorityClassName: "system-node-critical" });
    assert.equal(system.priority, 2_000_001_000);
    await assert.rejects(
      admitted(store, { priorityClassName: "none" }),
      (error) =>
        isAppError(error, "Forbidden") && /no PriorityClass with name none/.test(error.message),
    );
    await assert.rejects(admitted(store, { priority: 9 }), /must not be provided in pod spec/);
  }));

Deno.test("PodAdmission applies a RuntimeClass: overhead, nodes and tolerations", () =>
  inStore(async (store) => {
    const toleration = { key: "kata", operator: "Exists" } as const;
    await store.create(RESOURCES.runtimeclasses, {
      metadata: { name: "kata" },
      handler: "kata-qemu",
      overhead: { podFixed: { memory: "120Mi" } },
      scheduling: { nodeSelector: { kata: "yes" }, tolerations: [toleration] },
    } as unknown as KubeObject);
    const spec = await admitted(store, { runtimeClassName: "kata", nodeSelector: { a: "b" } });
    assert.deepEqual(spec.overhead, { memory: "120Mi" });
    assert.deepEqual(spec.nodeSelector, { a: "b", kata: "yes" });
    assert.deepEqual(spec.tolerations, [toleration]);
    await assert.rejects(
      admitted(store, { runtimeClassName: "kata", nodeSelector: { kata: "no" } }),
      /conflict: runtimeClass.scheduling.nodeSelector\[kata\]/,
    );
    await assert.rejects(
      admitted(store, { runtimeClassName: "none" }),
      /pod rejected: RuntimeClass "none" not found/,
    );
  }));
