import assert from "node:assert/strict";
import { ms, type ServicePhase, type ServiceState } from "../../core/base/mod.ts";
import { Readiness } from "./readiness.ts";

function states(phases: Readonly<Record<string, ServicePhase>>): ServiceState[] {
  return Object.entries(phases).map(([name, phase]) => ({
    ...{ name, phase, restarts: 0 },
    since: ms(0),
  }));
}

Deno.test("problems() names every service before all have been ready at once", () => {
  let now = states({ links: "ready", presence: "starting", leader: "waiting" });
  const readiness = new Readiness(() => now);
  assert.deepEqual(readiness.problems(), [
    "service presence is starting",
    "service leader is waiting",
  ]);
  now = states({ links: "backing-off", presence: "ready", leader: "ready" });
  assert.deepEqual(readiness.problems(), ["service links is backing-off"]);
  now = states({ links: "ready", presence: "ready", leader: "backing-off" });
  assert.deepEqual(readiness.problems(), ["service leader is backing-off"]);
});

Deno.test("problems() names only what serves others once all have been ready", () => {
  let now = states({ links: "ready", presence: "ready" });
  const readiness = new Readiness(() => now);
  assert.deepEqual(readiness.problems(), []);
  now = states({ links: "ready", presence: "backing-off" });
  assert.deepEqual(readiness.problems(), []);
  now = states({ links: "starting", presence: "backing-off" });
  assert.deepEqual(readiness.problems(), ["service links is starting"]);
});
