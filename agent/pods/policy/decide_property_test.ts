import assert from "node:assert/strict";
import fc from "fast-check";
import type { Container, PodSpec } from "../../../core/api/mod.ts";
import { ms } from "../../../core/base/mod.ts";
import { type Fate, World } from "../testing/mod.ts";

const fates = fc.array(
  fc.constantFrom<Fate>("ok", "ok", "ok", "fail", "crash-before", "crash-in", "crash-after"),
  { maxLength: 6 },
);
type Step = (world: World) => void;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fates.map((list): Step => (world) => world.work([...list])) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(5), fc.constantFrom(0, 1)).map(([pick, code]): Step => (world) =>
      world.exit(pick, code)
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 1000, 11_000, 360_000, -3_600_000).map((span): Step => (world) =>
      void (world.now += span)
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.killSandbox()) },
  { weight: 1, arbitrary: fc.nat(5).map((pick): Step => (world) => world.vanish(pick)) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.finishStops()) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("done" as const, "done" as const, "failed" as const).map(
      (state): Step => (world) => world.finishHooks(state),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...(["starting", "ready", "ready", "unready", "unhealthy"] as const),
    ).map((answer): Step => (world) => world.probe(answer)),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.debug()) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("1", "200m").map((cpu): Step => (world) => world.resize(cpu)),
  },
);

const specs = fc.record({
  restartPolicy: fc.constantFrom<NonNullable<PodSpec["restartPolicy"]>>(
    "Always",
    "OnFailure",
    "Never",
  ),
  inits: fc.array(fc.constantFrom("init", "sidecar"), { maxLength: 3 }),
  two: fc.boolean(),
  hooks: fc.boolean(),
  probes: fc.boolean(),
});
type Choice = typeof specs extends fc.Arbitrary<infer T> ? T : never;

function specOf({ restartPolicy, inits, two, hooks, probes }: Choice): Partial<PodSpec> {
  const make = (name: string, plain = false): Container => ({
    name,
    image: "app:1",
    ...(hooks && !plain
      ? { lifecycle: { postStart: { exec: {} }, preStop: { sleep: { seconds: 1 } } } }
      : {}),
    ...(probes && !plain ? { startupProbe: {}, livenessProbe: {}, readinessProbe: {} } : {}),
  });
  return {
    restartPolicy,
    containers: [make("main"), ...(two ? [make("side")] : [])],
    initContainers: inits.map((kind, at) =>
      kind === "init"
        ? make(`init${at}`, true)
        : { ...make(`sidecar${at}`), restartPolicy: "Always" }
    ),
  };
}

/** Lets the agent work without trouble; init containers and hooks succeed at once. */
function settle(world: World, done: () => boolean): void {
  const begun = world.now;
  for (let turn = 0; turn < 300 && !done(); turn++) {
    const plan = world.look([]);
    world.finishStops();
    world.finishHooks("done");
    world.probe("ready");
    for (let at = 0; at < 3; at++) world.exitNamed(`init${at}`, 0);
    if (plan.actions.length === 0) world.now = Math.max(world.now + 1, plan.next ?? 0);
  }
  assert.ok(done(), "the pod did not settle");
  assert.ok(world.now - begun < 20 * 60_000, "the pod waited longer than its back-off");
}

Deno.test("decide() keeps the invariants under exits, crashes, errors and clock jumps", () => {
  fc.assert(
    fc.property(specs, fc.array(step, { maxLength: 40 }), (choice, steps) => {
      const world = new World(specOf(choice));
      for (const run of steps) {
        run(world);
        world.check();
      }
      if (choice.restartPolicy !== "Always") return;
      const { containers, initContainers = [] } = world.pod.spec;
      const keep = [...containers, ...initContainers.filter((one) => one.restartPolicy)];
      const runs = ({ name }: Container): boolean =>
        world.containers.some((one) => one.name === name && one.state === "running");
      const sized = (): boolean => world.memory?.resize?.done ?? true;
      settle(world, () => keep.every(runs) && sized());
    }),
    { numRuns: 1500 },
  );
});

Deno.test("decide() ends every deleted pod, whatever happened before and meanwhile", () => {
  fc.assert(
    fc.property(
      specs,
      fc.array(step, { maxLength: 25 }),
      fc.array(step, { maxLength: 10 }),
      fc.constantFrom(0, 2, 30),
      (choice, before, meanwhile, grace) => {
        const world = new World(specOf(choice));
        for (const run of before) run(world);
        world.delete(grace);
        const starts = new Map(world.starts);
        for (const run of meanwhile) run(world);
        settle(world, () => world.gone);
        assert.deepEqual(world.starts, starts, "started something after the deletion");
        assert.equal(world.sandboxes.length + world.containers.length, 0);
        assert.match(world.pod.status?.phase ?? "", /Succeeded|Failed/);
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("decide() ends a pod that the node ends, and it stays Failed for that reason", () => {
  fc.assert(
    fc.property(
      specs,
      fc.array(step, { maxLength: 25 }),
      fc.array(step, { maxLength: 15 }),
      fc.constantFrom(0, 2000, undefined),
      (choice, before, after, grace) => {
        const world = new World(specOf(choice));
        for (const run of before) run(world);
        const { phase = "Pending" } = world.pod.status ?? {};
        const decided = world.memory?.finish;
        const limit = grace === undefined ? {} : { grace: ms(grace) };
        world.terminate = { reason: "Evicted", message: "no room", ...limit };
        world.look([]);
        // Once it was said it holds, also when the agent forgets.
        world.terminate = undefined;
        for (const run of after) run(world);
        settle(world, () => /Succeeded|Failed/.test(world.pod.status?.phase ?? ""));
        assert.equal(world.containers.filter((one) => one.state === "running").length, 0);
        if (decided || phase === "Succeeded" || phase === "Failed") return;
        assert.equal(world.pod.status?.phase, "Failed");
        assert.equal(world.pod.status?.reason, "Evicted");
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("decide() stops a pod of which the cluster was told that it has ended", () => {
  fc.assert(
    fc.property(
      specs,
      fc.array(step, { maxLength: 25 }),
      fc.array(step, { maxLength: 15 }),
      fc.constantFrom("Succeeded", "Failed"),
      (choice, before, after, phase) => {
        const world = new World(specOf(choice));
        for (const run of before) run(world);
        if (world.memory?.finish || /Succeeded|Failed/.test(world.pod.status?.phase ?? "")) return;
        world.tellEnd(phase);
        world.look(["crash-before"]);
        const starts = new Map(world.starts);
        for (const run of after) {
          run(world);
          assert.equal(world.pod.status?.phase, phase);
        }
        settle(world, () => world.memory?.phase === phase);
        assert.deepEqual(world.starts, starts, "started something after the end");
        assert.equal(world.containers.filter((one) => one.state === "running").length, 0);
        assert.deepEqual([world.pod.status?.phase, world.pod.status?.reason], [phase, "Lost"]);
      },
    ),
    { numRuns: 1000 },
  );
});
