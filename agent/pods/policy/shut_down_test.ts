import assert from "node:assert/strict";
import { ms, seconds, systemClock } from "../../../core/base/mod.ts";
import { FakeMachine } from "../../runtimes/fake/mod.ts";
import { type PodBench, startBench, testPod } from "../testing/mod.ts";
import { SHUT_DOWN } from "./halted.ts";
import { priorityOf } from "./priority.ts";

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

Deno.test("PodManager.stopAll() ends groups one after the other, with hooks, and starts nothing new", async () => {
  const host = machine();
  const ends: string[] = [];
  for (const name of ["low", "high"]) {
    host.addImage(`${name}:1`);
    host.script(`${name}:1`, {
      termDelay: ms(50),
      exec: ([what = ""]) => {
        ends.push(`${what} of ${name}`);
        return { exitCode: 0 };
      },
    });
  }
  await using bench = await startBench({ connect: () => host.connect() });
  const lifecycle = { preStop: { exec: { command: ["hook"] } } };
  const pod = (name: string, priority: number) =>
    testPod(name, { priority, containers: [{ ...running(`${name}:1`), lifecycle }] });
  bench.put(pod("high", 2_000_000_000));
  bench.put(pod("low", 0));
  for (const name of ["low", "high"]) await settled(bench, name, "Running");

  const stopping = bench.manager.stopAll([
    { has: (one) => priorityOf(one) < 2_000_000_000, period: seconds(5) },
    { has: () => true, period: seconds(5) },
  ], { remove: false });
  bench.put(testPod("late"));
  await stopping;
  assert.deepEqual(ends, ["hook of low", "hook of high"]);
  const [low, high] = ["low", "high"].map((name) => host.newest(`uid-${name}`, "main"));
  assert.ok((low?.finishedAt ?? 0) <= (high?.finishedAt ?? 0));
  // A sandbox ends after its containers, for which alone was waited.
  await bench.until(
    "no sandbox is ready",
    () => [...host.sandboxes.values()].every(({ ready }) => !ready),
  );
  for (const name of ["low", "high"]) {
    const { status } = await bench.until(`${name} says why`, () => {
      const found = bench.pod(name);
      return found?.status?.reason === "Terminated" && found;
    });
    assert.equal(status?.phase, "Running", "it runs again at the next start");
    assert.equal(status?.message, SHUT_DOWN.message);
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    assert.equal(ready?.status, "False");
    assert.equal(status?.containerStatuses?.[0]?.state.terminated?.exitCode, 143);
    assert.equal(status?.containerStatuses?.[0]?.restartCount, 0);
  }
  const waiting = await bench.until(
    "the late one waits",
    () => bench.pod("late")?.status?.containerStatuses?.[0]?.state.waiting,
  );
  assert.equal(waiting.reason, "NodeShutdown");
  assert.equal(host.newest("uid-late", "main"), undefined);

  await bench.restart();
  for (const name of ["low", "high", "late"]) {
    await settled(bench, name, "Running");
    assert.equal(bench.pod(name)?.status?.reason, undefined);
  }
  assert.equal(bench.pod("low")?.status?.containerStatuses?.[0]?.restartCount, 1);
});

Deno.test("PodManager.stopAll() gives up on a runtime that is away, and on a pod that does not end", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  await settled(bench, "web", "Running");
  host.goDown();
  await bench.manager.stopAll([{ has: () => true, period: ms(-7900) }], { remove: true });
  host.comeBack();
  assert.equal(bench.pod("web")?.status?.phase, "Running");
});
