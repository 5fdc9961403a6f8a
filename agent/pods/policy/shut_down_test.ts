import assert from "node:assert/strict";
import { ms, seconds, systemClock } from "../../../core/base/mod.ts";
import { FakeMachine } from "../../runtimes/fake/mod.ts";
import { newMemory } from "./memory.ts";
import { SHUT_DOWN, shutDownGrace } from "./shut_down.ts";
import { type PodBench, startBench, testPod } from "../testing/mod.ts";

/** A container of an image that is there. */
function running(image: string): { name: string; image: string; imagePullPolicy: "IfNotPresent" } {
  return { name: "main", image, imagePullPolicy: "IfNotPresent" };
}

function machine(): FakeMachine {
  const made = new FakeMachine({ clock: systemClock });
  for (const image of ["app:1", "polite:1", "stubborn:1", "short:1"]) made.addImage(image);
  made.script("polite:1", { termCode: 0 });
  made.script("stubborn:1", { onTerm: "ignore" });
  made.script("short:1", { exitAfter: ms(0) });
  return made;
}

async function settled(bench: PodBench, name: string, phase: string): Promise<void> {
  await bench.until(`${name} is ${phase}`, () => {
    const { status } = bench.pod(name) ?? {};
    const state = status?.containerStatuses?.[0]?.state;
    return status?.phase === phase && (phase !== "Running" || state?.running !== undefined);
  });
}

Deno.test("PodManager.stopAll() leaves nothing running, and the next start knows how it ended", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("always"));
  bench.put(
    testPod("on-failure", { restartPolicy: "OnFailure", containers: [running("polite:1")] }),
  );
  bench.put(testPod("never", { restartPolicy: "Never" }));
  bench.put(testPod("done", { restartPolicy: "Never", containers: [running("short:1")] }));
  for (const name of ["always", "on-failure", "never"]) await settled(bench, name, "Running");
  await settled(bench, "done", "Succeeded");
  await bench.shutDown();
  assert.equal(host.sandboxes.size + host.containers.size, 0);

  await bench.start();
  await settled(bench, "never", "Failed");
  const never = bench.pod("never")?.status;
  assert.equal(never?.reason, "Terminated");
  assert.equal(never?.message, SHUT_DOWN.message);
  assert.equal(never?.containerStatuses?.[0]?.state.terminated?.exitCode, 143);
  const exits: Record<string, number> = { "always": 143, "on-failure": 0 };
  for (const [name, code] of Object.entries(exits)) {
    const now = await bench.until(`${name} runs again`, () => {
      const status = bench.pod(name)?.status?.containerStatuses?.[0];
      return status?.state.running && status.restartCount === 1 && status;
    });
    assert.equal(now.lastState.terminated?.exitCode, code);
  }
  assert.equal(bench.pod("done")?.status?.phase, "Succeeded");
  assert.equal(host.newest("uid-never", "main"), undefined, "nothing of it was started again");
  const reasons = bench.events.map((one) => one.event.reason);
  assert.equal(reasons.includes("BackOff"), false);
});

Deno.test("PodManager.stopAll() goes on with the end of a pod that was being deleted", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web", { restartPolicy: "Never", containers: [running("stubborn:1")] }));
  await settled(bench, "web", "Running");
  bench.remove("web", 1);
  await bench.until(
    "it is asked to end",
    () => bench.events.some((one) => one.event.reason === "Killing"),
  );
  await bench.shutDown();
  assert.equal(bench.pod("web")?.status?.reason, undefined);
  await bench.start();
  await bench.until("gone", () => bench.gone.includes("uid-web"));
});

Deno.test("shutDownGrace() is the pod's own, 10 s at most, and never longer than its end is away", () => {
  const now = ms(1_000_000);
  const grace = (value: number) =>
    newMemory({ uid: "u", namespace: "default", name: "n" }, { now, grace: seconds(value) });
  assert.equal(shutDownGrace(grace(30), now), seconds(10));
  assert.equal(shutDownGrace(grace(2), now), seconds(2));
  assert.equal(shutDownGrace(grace(0), now), 0);
  assert.equal(shutDownGrace(undefined, now), seconds(10));
  const ending = { since: now, deadline: ms(now + 500) };
  assert.equal(shutDownGrace({ ...grace(30), ending }, now), 500);
  assert.equal(shutDownGrace({ ...grace(30), ending }, ms(now + 900)), 0);
});
