import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { everywhere, testPod } from "./testing/mod.ts";

function makeHost(): FakeMachine {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  return host;
}

Deno.test("PodManager starts a pod exactly once wherever it is killed", async () => {
  const calls = {
    imageStatus: 1,
    runSandbox: 1,
    createContainer: 1,
    startContainer: 1,
    observe: 4,
  };
  await everywhere(calls, makeHost, async ({ host, bench, where, arm }) => {
    await arm();
    bench.put(testPod("web"));
    const status = await bench.until(`running after ${where}`, () => {
      const one = bench.pod("web")?.status?.containerStatuses?.[0];
      return one?.state.running && one;
    });
    assert.equal(status.restartCount, 0);
    assert.equal(host.containers.size, 1, "a second container");
    assert.equal([...host.sandboxes.values()].filter((one) => one.ready).length, 1);
  });
});

Deno.test("PodManager ends a pod exactly once wherever it is killed", async () => {
  const calls = { stopContainer: 1, stopSandbox: 1, removeSandbox: 1, observe: 4 };
  await everywhere(calls, makeHost, async ({ host, bench, where, arm }) => {
    bench.put(testPod("web"));
    await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
    await arm();
    bench.remove("web", 1);
    await bench.until(`gone after ${where}`, () => !bench.pod("web"));
    assert.equal(host.containers.size + host.sandboxes.size, 0);
    assert.deepEqual(bench.gone, ["uid-web"]);
  });
});

Deno.test("PodManager counts an exit exactly once wherever it is killed", async () => {
  const calls = { createContainer: 1, startContainer: 1, observe: 4 };
  await everywhere(calls, makeHost, async ({ host, bench, where, arm }) => {
    bench.put(testPod("web"));
    await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
    await arm();
    host.exit([...host.containers.keys()][0] ?? "", 3);
    const status = await bench.until(`restarted after ${where}`, () => {
      const one = bench.pod("web")?.status?.containerStatuses?.[0];
      return one?.state.running && one.restartCount > 0 && one;
    });
    assert.equal(status.restartCount, 1);
    assert.equal(status.lastState.terminated?.exitCode, 3);
  });
});
