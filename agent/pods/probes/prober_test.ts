import assert from "node:assert/strict";
import type { Container, Pod, PodStatus } from "../../../core/api/mod.ts";
import { AppError, ms, seconds, VirtualClock } from "../../../core/base/mod.ts";
import type { ObservedContainer, Runtime } from "../../runtimes/mod.ts";
import type { PodEvent, PodView } from "../policy/plan.ts";
import { Prober } from "./prober.ts";

interface Bench extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly prober: Prober;
  /** What was asked: seconds since the start, container id, command. */
  readonly asked: string[];
  readonly changed: string[];
  readonly events: PodEvent[];
  /** What the next questions come to: an exit code, `away`, or `hang`. */
  answer: number | "away" | "hang";
  /** Questions at this moment. */
  open: number;
}

function bench(random = () => 0): Bench {
  const clock = new VirtualClock();
  const began = clock.monotonic();
  const state = { answer: 0 as Bench["answer"], open: 0, asked: [] as string[] };
  const execSync: Runtime["execSync"] = async (id, command, _timeout, signal) => {
    state.asked.push(`${(clock.monotonic() - began) / 1000} ${id} ${command.join(" ")}`);
    state.open++;
    try {
      const { answer } = made;
      if (answer === "away") throw new AppError("ServiceUnavailable", "containerd is away");
      if (answer === "hang") {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      }
      const empty = new Uint8Array();
      return { exitCode: Number(answer), stdout: empty, stderr: empty };
    } finally {
      state.open--;
    }
  };
  const changed: string[] = [];
  const events: PodEvent[] = [];
  const prober = new Prober({
    runtime: { execSync } as Runtime,
    clock,
    random,
    changed: (uid) => changed.push(uid),
    event: (_, event) => events.push(event),
  });
  const made: Bench = Object.assign(state, {
    clock,
    prober,
    changed,
    events,
    [Symbol.asyncDispose]: () => prober[Symbol.asyncDispose](),
  });
  return made;
}

const probe = (command: string, more = {}) => ({ exec: { command: [command] }, ...more });

function podOf(container: Partial<Container>, more: Partial<Pod> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", uid: "u1" },
    spec: { containers: [{ name: "main", image: "i", ...container }] },
    ...more,
  };
}

function viewOf(clock: VirtualClock, id: string, more: Partial<ObservedContainer> = {}): PodView {
  const container = {
    id,
    name: "main",
    attempt: 0,
    state: "running",
    startedAt: clock.now(),
    ...more,
  };
  return { sandboxes: [], containers: [container as ObservedContainer] };
}

Deno.test("Prober asks each probe in its period, the others after the startup probe", async () => {
  await using it = bench();
  const pod = podOf({
    startupProbe: probe("up", { periodSeconds: 2 }),
    livenessProbe: probe("live", { periodSeconds: 5 }),
    readinessProbe: probe("ready", { initialDelaySeconds: 4 }),
  });
  const view = viewOf(it.clock, "c1");
  it.answer = 1;
  const follow = () => it.prober.follow(pod, view, []);
  assert.deepEqual(follow(), { main: { containerId: "c1", started: false, ready: false } });
  await it.clock.advance(seconds(3));
  it.answer = 0;
  await it.clock.advance(seconds(11));
  assert.deepEqual(it.asked, [
    "0 c1 up",
    "2 c1 up",
    "4 c1 up",
    "4 c1 live",
    "4 c1 ready",
    "9 c1 live",
    "14 c1 live",
    "14 c1 ready",
  ]);
  assert.deepEqual(follow(), { main: { containerId: "c1", started: true, ready: true } });
  assert.deepEqual(it.changed, ["u1", "u1"]);
});

Deno.test("Prober tells of an unhealthy run, asks it no more, and begins anew with the next", async () => {
  await using it = bench();
  const pod = podOf({ livenessProbe: probe("live", { failureThreshold: 2 }) });
  it.answer = 1;
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(60));
  assert.deepEqual(it.asked, ["0 c1 live", "10 c1 live"]);
  const { main } = it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  assert.deepEqual(main?.unhealthy, { probe: "liveness", message: "" });
  assert.deepEqual(it.prober.follow(pod, viewOf(it.clock, "c1", { state: "exited" }), []), {});
  it.answer = 0;
  const next = it.prober.follow(pod, viewOf(it.clock, "c2"), []);
  assert.deepEqual(next, { main: { containerId: "c2", started: true, ready: true } });
  await it.clock.advance(seconds(1));
  assert.equal(it.asked.at(-1), "60 c2 live");
});

Deno.test("Prober counts what its questions came to, through all runs, until the pod is dropped", async () => {
  await using it = bench();
  const pod = podOf(
    { livenessProbe: probe("live", { failureThreshold: 2 }), readinessProbe: probe("ready") },
    { metadata: { name: "web", namespace: "shop", uid: "u1" } },
  );
  const follow = (id: string, more?: Partial<ObservedContainer>) =>
    it.prober.follow(pod, viewOf(it.clock, id, more), []);
  const counts = () => it.prober.counts().map((one) => `${one.kind} ${one.result} ${one.count}`);
  it.answer = 1;
  follow("c1");
  await it.clock.advance(seconds(15));
  assert.deepEqual(counts(), ["liveness failed 2", "readiness failed 2"]);
  follow("c1", { state: "exited" });
  it.answer = "away";
  follow("c2");
  await it.clock.advance(seconds(5));
  it.answer = 0;
  await it.clock.advance(seconds(10));
  assert.deepEqual(counts(), [
    ...["liveness failed 2", "liveness unknown 1", "liveness successful 1"],
    ...["readiness failed 2", "readiness unknown 1", "readiness successful 1"],
  ]);
  const [{ kind: _kind, result: _result, count: _count, ...who } = {}] = it.prober.counts();
  assert.deepEqual(who, { namespace: "shop", pod: "web", uid: "u1", container: "main" });
  it.prober.drop("u1");
  assert.deepEqual(it.prober.counts(), []);
});

Deno.test("Prober goes on from what was reported of the same run", async () => {
  await using it = bench();
  const status = {
    containerStatuses: [{
      name: "main",
      containerID: "containerd://c1",
      state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      started: true,
      ready: true,
    }],
  } as unknown as PodStatus;
  const pod = podOf({ startupProbe: probe("up"), readinessProbe: probe("ready") }, { status });
  const other = it.prober.follow(pod, viewOf(it.clock, "c2"), []);
  assert.deepEqual(other, { main: { containerId: "c2", started: false, ready: false } });
  it.prober.drop("u1");
  const same = it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  assert.deepEqual(same, { main: { containerId: "c1", started: true, ready: true } });
  it.answer = 1;
  await it.clock.advance(seconds(15));
  assert.deepEqual(it.changed, []);
  await it.clock.advance(seconds(5));
  assert.deepEqual(it.changed, ["u1"]);
});

Deno.test("Prober spreads the first questions of an agent that has just started, and of no other", async () => {
  await using it = bench(() => 0.5);
  const pod = podOf({ livenessProbe: probe("live") });
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(11));
  it.prober.follow(pod, viewOf(it.clock, "c2"), []);
  await it.clock.advance(seconds(1));
  assert.deepEqual(it.asked, ["5 c1 live", "11 c2 live"]);
});

Deno.test("Prober asks a pod that is to end only whether it is ready", async () => {
  await using it = bench();
  const pod = podOf({ livenessProbe: probe("live"), readinessProbe: probe("ready") });
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(5));
  const metadata = { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:05Z" };
  it.prober.follow({ ...pod, metadata }, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(20));
  assert.deepEqual(it.asked.slice(2), ["10 c1 ready", "20 c1 ready"]);
});

Deno.test("Prober runs probes of sidecars, and of nothing that is without", async () => {
  await using it = bench();
  const pod = podOf({});
  pod.spec.initContainers = [
    { name: "side", image: "i", restartPolicy: "Always", livenessProbe: probe("l") },
  ];
  const main = viewOf(it.clock, "c1");
  const side = viewOf(it.clock, "s1", { name: "side" });
  const view = { sandboxes: [], containers: [...main.containers, ...side.containers] };
  it.answer = 1;
  assert.deepEqual(Object.keys(it.prober.follow(pod, view, [])), ["side"]);
  await it.clock.advance(seconds(1));
  assert.deepEqual(it.asked, ["0 s1 l"]);
  assert.deepEqual(it.events, [{
    type: "Warning",
    reason: "Unhealthy",
    message: "Liveness probe failed: ",
    fieldPath: "spec.initContainers{side}",
  }]);
});

Deno.test("Prober says the same once a minute, and nothing of a runtime that is away", async () => {
  await using it = bench();
  it.answer = 1;
  const pod = podOf({ readinessProbe: probe("ready", { periodSeconds: 5 }) });
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(119));
  assert.equal(it.events.length, 2);
  it.answer = "away";
  await it.clock.advance(seconds(300));
  assert.equal(it.events.length, 2);
  assert.deepEqual(it.changed, []);
});

Deno.test("Prober runs eight commands at once, the longest overdue first", async () => {
  await using it = bench();
  it.answer = "hang";
  const pods = Array.from({ length: 10 }, (_, at) => {
    const pod = podOf({ readinessProbe: probe("ready", { initialDelaySeconds: at }) });
    return { ...pod, metadata: { name: `p${at}`, uid: `u${at}` } };
  });
  pods.forEach((pod, at) => it.prober.follow(pod, viewOf(it.clock, `c${at}`), []));
  await it.clock.advance(seconds(20));
  assert.equal(it.open, 8);
  it.answer = 0;
  it.prober.drop("u3");
  await it.clock.advance(ms(0));
  assert.deepEqual(it.asked.slice(8), ["20 c8 ready", "20 c9 ready"]);
  assert.equal(it.open, 7);
});

Deno.test("Prober leaves nothing behind when it ends or drops a pod in the middle of a question", async () => {
  const it = bench();
  it.answer = "hang";
  const pod = podOf({ readinessProbe: probe("ready") });
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(1));
  it.prober.drop("u1");
  await it.clock.advance(seconds(1));
  assert.equal(it.open, 0);
  it.prober.follow(pod, viewOf(it.clock, "c1"), []);
  await it.clock.advance(seconds(1));
  await it.prober[Symbol.asyncDispose]();
  assert.deepEqual([it.open, it.clock.size, it.events], [0, 0, []]);
});
