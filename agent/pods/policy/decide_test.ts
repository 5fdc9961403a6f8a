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
