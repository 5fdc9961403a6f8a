import assert from "node:assert/strict";
import fc from "fast-check";
import type { Pod, PodSpec } from "../../../core/api/mod.ts";
import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ObservedContainer, ObservedSandbox } from "../../runtimes/mod.ts";
import { decide } from "./decide.ts";
import type { PodMemory } from "./memory.ts";
import { recordDone, recordFailure } from "./outcomes.ts";
import type { Action, ImageView, Plan } from "./plan.ts";
import { testPod } from "../testing/mod.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Fate = "ok" | "fail" | "crash-before" | "crash-after";

/** One pod, a container host and an agent that can die between any two steps. */
class World {
  now = Date.UTC(2026, 0, 1);
  sandboxes: Writable<ObservedSandbox>[] = [];
  containers: Writable<ObservedContainer>[] = [];
  memory: PodMemory | undefined;
  gone = false;
  /** How often each container was started. */
  readonly starts = new Map<string, number>();
  readonly pod: Pod;
  /** Sandbox attempts that were used. */
  readonly #attempts = new Set<number>();
  #ids = 0;
  #mounted = false;
  #images = new Map<string, ImageView>();
  #stopping: Record<string, Ms> = {};
  #phase = 0;
  #restarts = new Map<string, number>();

  constructor(spec: Partial<PodSpec>) {
    this.pod = testPod("p", spec);
  }

  /** The agent works until nothing is to be done. */
  work(fates: Fate[]): void {
    for (let round = 0; round < 8 && this.look(fates).actions.length > 0; round++);
  }

  /** One look of the agent; each action meets the next fate. */
  look(fates: Fate[]): Plan {
    const plan = decide(this.pod, this, this.memory, ms(this.now), {
      node: { nodeName: "n1", hostIPs: [], allowPrivileged: false, memoryVolumes: false },
      objects: { configMaps: {}, secrets: {} },
      images: Object.fromEntries(this.#images),
      probes: {},
      mounted: this.#mounted,
      stopping: this.#stopping,
      messages: {},
      predecessor: false,
    });
    this.memory = plan.memory;
    if (plan.status) this.pod.status = plan.status;
    this.#checkStatus();
    this.gone ||= plan.gone;
    for (const action of plan.actions) {
      const fate = fates.shift() ?? "ok";
      if (fate === "crash-before") return this.#crash(plan);
      this.#apply(action, fate === "fail");
      this.check();
      if (fate === "crash-after") return this.#crash(plan);
    }
    return plan;
  }

  exit(pick: number, code: number): void {
    const running = this.containers.filter((one) => one.state === "running");
    const one = running[pick % Math.max(1, running.length)];
    if (one) this.#end(one, code);
  }

  killSandbox(): void {
    for (const sandbox of this.sandboxes) sandbox.ready = false;
    for (const one of this.containers) if (one.state === "running") this.#end(one, 137);
  }

  /** Somebody removes a container that the agent has seen. */
  vanish(pick: number): void {
    const one = this.containers[pick % Math.max(1, this.containers.length)];
    if (!one || this.memory?.containers[one.name]?.id !== one.id) return;
    this.containers = this.containers.filter((other) => other !== one);
  }

  finishStops(): void {
    for (const one of this.containers) {
      if (one.state === "running" && this.#stopping[one.id] !== undefined) this.#end(one, 143);
    }
    this.#stopping = {};
  }

  delete(grace: number): void {
    this.pod.metadata.deletionTimestamp = new Date(this.now).toISOString();
    this.pod.metadata.deletionGracePeriodSeconds = grace;
  }

  /** At most one ready sandbox, and one running instance of each container. */
  check(): void {
    assert.ok(this.sandboxes.filter((one) => one.ready).length <= 1, "two ready sandboxes");
    const running = this.containers.filter((one) => one.state === "running");
    assert.equal(new Set(running.map((one) => one.name)).size, running.length, "two instances");
    if (this.pod.spec.restartPolicy !== "Never") return;
    for (const [name, count] of this.starts) {
      assert.ok(count <= 1 || name === "init", `${name} ran ${count} times under Never`);
    }
  }

  #checkStatus(): void {
    const { status } = this.pod;
    const phase = ["Pending", "Running", "Succeeded", "Failed"].indexOf(status?.phase ?? "");
    assert.ok(phase === this.#phase || (phase > this.#phase && this.#phase < 2), "phase went back");
    this.#phase = phase;
    for (const one of status?.containerStatuses ?? []) {
      assert.ok(one.restartCount >= (this.#restarts.get(one.name) ?? 0), "restart count fell");
      this.#restarts.set(one.name, one.restartCount);
    }
  }

  #crash(plan: Plan): Plan {
    this.#mounted = false;
    this.#images.clear();
    this.#stopping = {};
    return plan;
  }

  #apply(action: Action, fail: boolean): void {
    if (fail) {
      const outcome = { action, reason: "CreateContainerError", message: "it failed" };
      if (this.memory) this.memory = recordFailure(this.memory, outcome, ms(this.now)).memory;
      // A start that fails leaves what was created behind.
      if (action.type === "start" && !action.containerId) this.#create(action);
      return;
    }
    switch (action.type) {
      case "image":
        this.#images.set(action.container, { state: "present", ref: "app:1" });
        break;
      case "mount":
        this.#mounted = true;
        break;
      case "run-sandbox":
        this.#runSandbox(action.attempt);
        break;
      case "start":
        this.#start(action);
        break;
      case "stop":
        this.#stopping = { ...this.#stopping, [action.containerId]: ms(this.now + action.grace) };
        break;
      case "stop-sandbox":
        for (const one of this.sandboxes) if (one.id === action.sandboxId) one.ready = false;
        break;
      case "remove-sandbox":
        assert.ok(
          !this.containers.some((one) =>
            one.sandboxId === action.sandboxId && one.state === "running"
          ),
          "removed a sandbox with a running container",
        );
        this.sandboxes = this.sandboxes.filter((one) => one.id !== action.sandboxId);
        this.containers = this.containers.filter((one) => one.sandboxId !== action.sandboxId);
        break;
      case "remove-container":
        assert.notEqual(
          this.containers.find((one) => one.id === action.containerId)?.state,
          "running",
        );
        this.containers = this.containers.filter((one) => one.id !== action.containerId);
        break;
      case "clean":
        break;
    }
    if (this.memory) this.memory = recordDone(this.memory, action);
  }

  #runSandbox(attempt: number): void {
    assert.ok(!this.#attempts.has(attempt), "sandbox attempt twice");
    this.#attempts.add(attempt);
    this.sandboxes.push({
      id: `s${++this.#ids}`,
      podUid: "uid-p",
      podName: "p",
      podNamespace: "default",
      attempt,
      ready: true,
      createdAt: ms(this.now),
      ips: ["10.0.0.2"],
      labels: {},
      annotations: {},
    });
  }

  #create(action: Action & { type: "start" }): Writable<ObservedContainer> {
    assert.ok(
      !this.containers.some((one) =>
        one.name === action.container && one.attempt === action.attempt
      ),
      "one attempt created twice",
    );
    const made: Writable<ObservedContainer> = {
      id: `c${++this.#ids}`,
      sandboxId: action.sandboxId,
      podUid: "uid-p",
      name: action.container,
      attempt: action.attempt,
      state: "created",
      createdAt: ms(this.now),
      image: "app:1",
      imageRef: "app@sha256:1",
      logPath: "x",
      labels: {},
      annotations: {},
    };
    this.containers.push(made);
    return made;
  }

  #start(action: Action & { type: "start" }): void {
    const one = this.containers.find(({ id }) => id === action.containerId) ?? this.#create(action);
    assert.ok(this.sandboxes.some((box) => box.id === one.sandboxId && box.ready));
    if (action.container === "main" && this.pod.spec.initContainers) {
      const box = this.sandboxes.find(({ id }) => id === one.sandboxId);
      assert.equal(this.memory?.containers.init?.doneFor, box?.attempt, "main before init");
    }
    one.state = "running";
    one.startedAt = ms(this.now);
    this.starts.set(one.name, (this.starts.get(one.name) ?? 0) + 1);
    this.#images.delete(one.name);
  }

  #end(one: Writable<ObservedContainer>, code: number): void {
    one.state = "exited";
    one.exitCode = code;
    one.finishedAt = ms(this.now);
    one.reason = code === 0 ? "Completed" : "Error";
  }
}

const fates = fc.array(
  fc.constantFrom<Fate>("ok", "ok", "ok", "fail", "crash-before", "crash-after"),
  { maxLength: 6 },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fates.map((list) => (world: World) => world.work([...list])) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(3), fc.constantFrom(0, 1)).map(([pick, code]) => (world: World) =>
      world.exit(pick, code)
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 1000, 11_000, 360_000, -3_600_000).map((span) => (world: World) =>
      void (world.now += span)
    ),
  },
  { weight: 1, arbitrary: fc.constant((world: World) => world.killSandbox()) },
  { weight: 1, arbitrary: fc.nat(5).map((pick) => (world: World) => world.vanish(pick)) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.finishStops()) },
);
const specs = fc.record({
  restartPolicy: fc.constantFrom<NonNullable<PodSpec["restartPolicy"]>>(
    "Always",
    "OnFailure",
    "Never",
  ),
  init: fc.boolean(),
  two: fc.boolean(),
});

function specOf(choice: { restartPolicy: PodSpec["restartPolicy"]; init: boolean; two: boolean }) {
  const container = { image: "app:1" };
  return {
    ...(choice.restartPolicy ? { restartPolicy: choice.restartPolicy } : {}),
    containers: [
      { name: "main", ...container },
      ...(choice.two ? [{ name: "side", ...container }] : []),
    ],
    ...(choice.init ? { initContainers: [{ name: "init", ...container }] } : {}),
  };
}

/** Lets the agent work without trouble; init containers succeed at once. */
function settle(world: World, done: () => boolean): void {
  const begun = world.now;
  for (let turn = 0; turn < 200 && !done(); turn++) {
    const plan = world.look([]);
    world.finishStops();
    const index = world.containers.filter((one) => one.state === "running").findIndex((one) =>
      one.name === "init"
    );
    if (index >= 0) world.exit(index, 0);
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
      if (choice.restartPolicy === "Always") {
        const names = world.pod.spec.containers.map((one) => one.name);
        settle(
          world,
          () =>
            names.every((name) =>
              world.containers.some((one) => one.name === name && one.state === "running")
            ),
        );
      }
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
