import assert from "node:assert/strict";
import { type KubeObject, RESOURCES } from "../../../core/api/mod.ts";
import { systemClock } from "../../../core/base/mod.ts";
import { FakeMachine } from "../../runtimes/fake/mod.ts";
import { startBench, testPod } from "../testing/mod.ts";

Deno.test("PodManager says that a RuntimeClass is absent, and runs the pod with its handler when it comes", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web", { runtimeClassName: "kata" }));
  const { event } = await bench.until(
    "the Event",
    () => bench.events.find(({ event }) => event.reason === "FailedCreatePodSandBox"),
  );
  assert.equal(event.message, 'Failed to create pod sandbox: RuntimeClass "kata" not found');
  assert.equal(bench.pod("web")?.status?.phase, "Pending");
  bench.store.transact((tx) =>
    tx.put(RESOURCES.runtimeclasses, {
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name: "kata", uid: "kata" },
      handler: "kata-qemu",
    } as KubeObject)
  );
  await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
  assert.equal([...host.sandboxes.values()][0]?.config.runtimeHandler, "kata-qemu");
});
