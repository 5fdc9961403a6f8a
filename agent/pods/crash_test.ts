import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { survive, testPod } from "./testing/mod.ts";

function makeHost(): FakeMachine {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  return host;
}

Deno.test("PodManager starts a pod exactly once wherever it is killed", async () => {
  const places = new Set<string>();
  for (const when of ["before", "after"] as const) {
    for (let call = 1; call <= 12; call++) {
      const host = makeHost();
      const died = await survive(host, { call, when }, async (bench, arm) => {
        await arm();
        bench.put(testPod("web"));
        const status = await bench.until(`running after death at ${when} ${call}`, () => {
          const one = bench.pod("web")?.status?.containerStatuses?.[0];
          return one?.state.running && one;
        });
        assert.equal(status.restartCount, 0);
        assert.equal(host.containers.size, 1, "a second container");
        assert.equal([...host.sandboxes.values()].filter((one) => one.ready).length, 1);
      });
      if (died) places.add(`${when} ${died}`);
    }
  }
  for (
    const call of ["runSandbox", "createContainer", "startContainer", "imageStatus", "observe"]
  ) {
    assert.ok(places.has(`before ${call}`) && places.has(`after ${call}`), `never died at ${call}`);
  }
});

Deno.test("PodManager ends a pod exactly once wherever it is killed", async () => {
  const places = new Set<string>();
  for (const when of ["before", "after"] as const) {
    for (let call = 1; call <= 10; call++) {
      const host = makeHost();
      const died = await survive(host, { call, when }, async (bench, arm) => {
        bench.put(testPod("web"));
        await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
        await arm();
        bench.remove("web", 1);
        await bench.until(`gone after death at ${when} ${call}`, () => !bench.pod("web"));
        assert.equal(host.containers.size + host.sandboxes.size, 0);
        assert.deepEqual(bench.gone, ["uid-web"]);
      });
      if (died) places.add(`${when} ${died}`);
    }
  }
  for (const call of ["stopContainer", "stopSandbox", "removeSandbox"]) {
    assert.ok(places.has(`before ${call}`) && places.has(`after ${call}`), `never died at ${call}`);
  }
});

Deno.test("PodManager counts an exit exactly once wherever it is killed", async () => {
  for (const when of ["before", "after"] as const) {
    for (let call = 1; call <= 10; call++) {
      const host = makeHost();
      await survive(host, { call, when }, async (bench, arm) => {
        bench.put(testPod("web"));
        await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
        await arm();
        host.exit([...host.containers.keys()][0] ?? "", 3);
        const status = await bench.until(`restarted after death at ${when} ${call}`, () => {
          const one = bench.pod("web")?.status?.containerStatuses?.[0];
          return one?.state.running && one.restartCount > 0 && one;
        });
        assert.equal(status.restartCount, 1);
        assert.equal(status.lastState.terminated?.exitCode, 3);
      });
    }
  }
});
