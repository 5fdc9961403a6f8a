import assert from "node:assert/strict";
import { World } from "../testing/mod.ts";
import { resized } from "./resize.ts";

Deno.test("a resize that failed is tried again in its time though the clock was set back", () => {
  const world = new World({
    restartPolicy: "Always",
    containers: [{ name: "main", image: "app:1" }],
  });
  world.work([]);
  world.resize("1");
  world.work(["fail"]);
  world.now -= 3_600_000;
  const { next } = world.look([]);
  assert.equal(next, world.now + 10_000);
  world.now += 10_000;
  world.work([]);
  assert.deepEqual(world.memory && resized(world.pod, world.memory), []);
});

Deno.test("a run waits until a broken-off one that has its name has been removed", () => {
  const world = new World({
    restartPolicy: "Always",
    containers: [{ name: "main", image: "app:1" }],
  });
  world.work([]);
  world.exit(0, 0);
  world.work(["ok", "crash-in", "fail", "ok", "ok", "fail"]);
  world.work([]);
  assert.deepEqual(world.containers.map(({ attempt, state }) => [attempt, state]).at(-1), [
    1,
    "running",
  ]);
});

Deno.test("a pod of which the cluster was told that it failed is stopped, and says nothing else", () => {
  const world = new World({
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 20,
    containers: [{ name: "main", image: "app:1" }],
  });
  world.work([]);
  world.tellEnd("Failed");
  world.work([]);
  const { finish, phase } = world.memory ?? {};
  assert.deepEqual([finish?.deadline, phase], [world.now + 20_000, "Running"]);
  assert.deepEqual([world.pod.status?.phase, world.pod.status?.reason], ["Failed", "Lost"]);
  const ready = world.pod.status?.conditions?.find(({ type }) => type === "Ready");
  assert.deepEqual([ready?.status, ready?.reason], ["False", "PodFailed"]);
  world.finishStops();
  world.work([]);
  assert.equal(world.memory?.phase, "Failed");
  assert.deepEqual([world.pod.status?.phase, world.pod.status?.reason], ["Failed", "Lost"]);
  assert.deepEqual([...world.starts], [["main", 1]]);
  assert.ok(world.sandboxes.every(({ ready }) => !ready));
});

Deno.test("a pod that is deleted before anything of it began keeps the containers that it showed", () => {
  const world = new World({
    initContainers: [{ name: "first", image: "app:1" }],
    containers: [{ name: "main", image: "app:1" }],
  });
  world.look([]);
  const shown = (): unknown[] => {
    const { initContainerStatuses = [], containerStatuses = [] } = world.pod.status ?? {};
    return [...initContainerStatuses, ...containerStatuses].map(({ name, state }) =>
      `${name} ${Object.keys(state ?? {})}`
    );
  };
  assert.deepEqual(shown(), ["first waiting", "main waiting"]);
  world.delete(1);
  world.work([]);
  assert.equal(world.pod.status?.phase, "Failed");
  assert.deepEqual(shown(), ["first waiting", "main waiting"]);
});

Deno.test("a pod that a scheduler placed is scheduled since then, of the generation that is here", () => {
  const world = new World({ containers: [{ name: "main", image: "app:1" }] });
  const since = "2026-01-01T00:00:00Z";
  const placed = { type: "PodScheduled", status: "True", lastTransitionTime: since } as const;
  world.pod.status = { conditions: [placed] };
  world.pod.metadata.generation = 3;
  world.work([]);
  const shown = world.pod.status.conditions?.find(({ type }) => type === "PodScheduled");
  assert.deepEqual(shown, { ...placed, observedGeneration: 3 });
});
