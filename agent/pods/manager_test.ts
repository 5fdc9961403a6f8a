import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { startBench, testPod } from "./testing/mod.ts";

function machine(): FakeMachine {
  const made = new FakeMachine({ clock: systemClock });
  made.addImage("app:1");
  return made;
}

Deno.test("PodManager runs a pod, reports it and ends it", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  const status = await bench.until("running", () => {
    const now = bench.pod("web")?.status;
    return now?.phase === "Running" && now.containerStatuses?.[0]?.state.running ? now : undefined;
  });
  assert.equal(status.podIP, [...host.sandboxes.values()][0]?.ip);
  assert.equal(status.conditions?.find((one) => one.type === "Ready")?.status, "True");
  bench.remove("web");
  await bench.until("gone", () => bench.gone.includes("uid-web"));
  assert.equal(host.sandboxes.size, 0);
  assert.equal(host.containers.size, 0);
  const reasons = bench.events.map((one) => one.event.reason);
  assert.deepEqual(reasons, ["Pulled", "Created", "Started", "Killing"]);
});
