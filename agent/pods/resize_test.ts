import assert from "node:assert/strict";
import { conditionOf, type Pod, type PodStatus, requestsOfAll } from "../../core/api/mod.ts";
import { AppError, type Clock, seconds, systemClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { NodeVerdicts } from "./options.ts";
import { otherRuntime, type PodBench, startBench, testPod } from "./testing/mod.ts";

/** A node of one core. */
const oneCore: NodeVerdicts = {
  admit(pod, others) {
    const requested = requestsOfAll([pod, ...others]).get("cpu") ?? 0;
    const message = "Node didn't have enough resource: cpu";
    return requested <= 1000 ? undefined : { reason: "OutOfcpu", message };
  },
  terminate: () => undefined,
};

/** Nothing is looked at again after a while only because time has passed. */
const hurried: Clock = {
  ...systemClock,
  timer: (delay, fn) =>
    delay < seconds(9) ? systemClock.timer(delay, fn) : { [Symbol.dispose]: () => {} },
};

function machine(): FakeMachine {
  const made = new FakeMachine({ clock: systemClock });
  made.addImage("app:1");
  return made;
}

function sized(name: string, cpu: string): Pod {
  const requests = { cpu };
  return testPod(name, { containers: [{ name: "main", image: "app:1", resources: { requests } }] });
}

/** Gives a pod other resources, as the hub's replica says it. */
function resize(bench: PodBench, name: string, cpu: string): void {
  const { metadata, status } = bench.pod(name) ?? sized(name, cpu);
  const generation = (metadata.generation ?? 1) + 1;
  bench.put({
    ...sized(name, cpu),
    metadata: { ...metadata, generation },
    ...(status ? { status } : {}),
  });
}

async function runs(bench: PodBench, name: string, cpu: string): Promise<PodStatus> {
  return await bench.until(`${name} runs with ${cpu}`, () => {
    const { status } = bench.pod(name) ?? {};
    const [main] = status?.containerStatuses ?? [];
    const open = status?.conditions?.some(({ type }) => type.startsWith("PodResize"));
    return main?.state.running && main.resources?.requests?.["cpu"] === cpu && !open && status;
  });
}

async function waits(bench: PodBench, name: string): Promise<void> {
  await bench.until(`the resize of ${name} waits`, () => {
    const pod = bench.pod(name);
    return pod && conditionOf(pod, "PodResizePending")?.reason === "Deferred";
  });
}

/** A node of one core, on which nothing is looked at again for time alone. */
function benchOn(connect: () => Runtime): Promise<PodBench> {
  return startBench({ connect, clock: hurried, verdicts: oneCore });
}

/** What was told of the resizes of a pod. */
function told(bench: PodBench, name: string): string[] {
  return bench.events.filter(({ uid, event }) =>
    uid === `uid-${name}` && event.reason.startsWith("Resize")
  ).map(({ event }) => event.reason);
}

Deno.test("PodManager grants a deferred resize as soon as another pod has gone, or needs less", async () => {
  const host = machine();
  await using bench = await benchOn(() => host.connect());
  bench.put(sized("web", "300m"));
  bench.put(sized("job", "400m"));
  bench.put(sized("old", "200m"));
  for (const [name, cpu] of [["web", "300m"], ["job", "400m"], ["old", "200m"]] as const) {
    await runs(bench, name, cpu);
  }
  resize(bench, "web", "500m");
  await waits(bench, "web");
  bench.remove("old", 0);
  await runs(bench, "web", "500m");
  resize(bench, "web", "900m");
  await waits(bench, "web");
  resize(bench, "job", "100m");
  await runs(bench, "web", "900m");
  assert.deepEqual(told(bench, "web"), [
    ...["ResizeDeferred", "ResizeStarted", "ResizeCompleted"],
    ...["ResizeDeferred", "ResizeStarted", "ResizeCompleted"],
  ]);
  assert.deepEqual(told(bench, "job"), ["ResizeStarted", "ResizeCompleted"]);
});

Deno.test("PodManager counts a pod by what it was granted, not by what it waits for", async () => {
  const host = machine();
  await using bench = await benchOn(() => host.connect());
  bench.put(sized("web", "300m"));
  bench.put(sized("job", "300m"));
  await runs(bench, "web", "300m");
  await runs(bench, "job", "300m");
  resize(bench, "web", "900m");
  await waits(bench, "web");
  resize(bench, "job", "700m");
  await runs(bench, "job", "700m");
  host.exit(host.newest("uid-web", "main")?.id ?? "", 1);
  const [again] = await bench.until("it runs again", () => {
    const { containerStatuses: list = [] } = bench.pod("web")?.status ?? {};
    return list[0]?.restartCount === 1 && list[0].state.running && list;
  });
  assert.equal(again?.resources?.requests?.["cpu"], "300m");
  assert.equal(host.newest("uid-web", "main")?.resources?.cpuShares, 307);
});

Deno.test("PodManager ends a resize that was under way when the agent was restarted, and tells it once", async () => {
  const host = machine();
  let broken = true;
  const connect = (): Runtime => {
    const inner = host.connect();
    return otherRuntime(inner, {
      updateResources: async (...args) => {
        await inner.updateResources(...args);
        if (broken) throw new AppError("ServiceUnavailable", "the agent is killed");
      },
    });
  };
  await using bench = await benchOn(connect);
  bench.put(sized("web", "300m"));
  await runs(bench, "web", "300m");
  resize(bench, "web", "500m");
  await bench.until("it has begun", () => {
    const pod = bench.pod("web");
    return pod && conditionOf(pod, "PodResizeInProgress");
  });
  await bench.stop();
  broken = false;
  await bench.start();
  await runs(bench, "web", "500m");
  assert.deepEqual(told(bench, "web"), ["ResizeStarted", "ResizeCompleted"]);
});

Deno.test("PodManager tells what a resize fails with in a kubelet's words, and tries others at once", async () => {
  const host = machine();
  let broken = true;
  const connect = (): Runtime => {
    const inner = host.connect();
    return otherRuntime(inner, {
      updateResources: async (...args) => {
        if (broken) throw new AppError("InternalError", "no such cgroup");
        await inner.updateResources(...args);
      },
    });
  };
  await using bench = await benchOn(connect);
  bench.put(sized("web", "300m"));
  await runs(bench, "web", "300m");
  resize(bench, "web", "500m");
  await bench.until("it is told", () => told(bench, "web").includes("ResizeError"));
  const { event } = bench.events.find((one) => one.event.reason === "ResizeError") ?? {};
  const containers = '[{"name":"main","resources":{"requests":{"cpu":"500m"}}}]';
  assert.equal(
    event?.message,
    `Pod resize error: {"containers":${containers},"generation":2,"error":"no such cgroup"}`,
  );
  broken = false;
  // Other resources have not failed yet.
  resize(bench, "web", "400m");
  await runs(bench, "web", "400m");
  const after = ["ResizeStarted", "ResizeCompleted"];
  assert.deepEqual(told(bench, "web"), ["ResizeStarted", "ResizeError", ...after]);
});
