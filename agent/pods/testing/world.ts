import assert from "node:assert/strict";
import type { Pod, PodSpec } from "../../../core/api/mod.ts";
import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ObservedContainer, ObservedSandbox } from "../../runtimes/mod.ts";
import { decide } from "../policy/decide.ts";
import { containerMemory, type PodMemory } from "../policy/memory.ts";
import { recordDone, recordFailure } from "../policy/outcomes.ts";
import type { Action, HookView, ImageView, Plan, ProbeView, Termination } from "../policy/plan.ts";
import { findContainer, isSidecar } from "../policy/roles.ts";
import { testPod } from "./bench.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Start = Action & { type: "start" };

/**
 * What becomes of one action: it is done, it fails, or the agent dies before, in or after it. A start
 * in which the agent dies is broken off by the runtime.
 */
export type Fate = "ok" | "fail" | "crash-before" | "crash-in" | "crash-after";

/**
 * One pod, a container host and an agent that can die between any two steps. Every step asserts
 * what must hold of a pod whatever happens.
 */
export class World {
  now = Date.UTC(2026, 0, 1);
  sandboxes: Writable<ObservedSandbox>[] = [];
  containers: Writable<ObservedContainer>[] = [];
  memory: PodMemory | undefined;
  gone = false;
  terminate: Termination | undefined;
  /** How often each container was started. */
  readonly starts = new Map<string, number>();
  readonly pod: Pod;
  /** Sandbox attempts that were used. */
  readonly #attempts = new Set<number>();
  #ids = 0;
  #mounted = false;
  #images = new Map<string, ImageView>();
  #stopping: Record<string, Ms> = {};
  #hooks: Record<string, HookView> = {};
  #probes: Record<string, ProbeView> = {};
  #phase = 0;
  #told = false;
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
      node: {
        nodeName: "n1",
        runtime: "fake",
        hostIPs: [],
        allowPrivileged: false,
        recursiveReadOnly: false,
        strictGroups: false,
        memoryVolumes: false,
      },
      objects: { configMaps: {}, secrets: {}, tokens: {} },
      images: Object.fromEntries(this.#images),
      probes: this.#probes,
      mounted: this.#mounted,
      stopping: this.#stopping,
      hooks: this.#hooks,
      messages: {},
      predecessor: false,
      ...(this.terminate ? { terminate: this.terminate } : {}),
    });
    const live = this.#running().length;
    const over = this.memory?.finish ?? this.memory?.ending;
    this.memory = plan.memory;
    if (plan.status) this.pod.status = plan.status;
    this.#checkStatus(live);
    this.gone ||= plan.gone;
    for (const action of plan.actions) {
      assert.ok(!over || action.type !== "start", "started something in a pod that ends");
      const fate = fates.shift() ?? "ok";
      if (fate === "crash-before") return this.#crash(plan);
      if (fate === "crash-in" && action.type === "start") {
        this.#cut(action);
        return this.#crash(plan);
      }
      this.#apply(action, fate === "fail");
      this.check();
      if (fate === "crash-in" || fate === "crash-after") return this.#crash(plan);
    }
    return plan;
  }

  exit(pick: number, code: number): void {
    const running = this.#running();
    const one = running[pick % Math.max(1, running.length)];
    if (one) this.#end(one, code);
  }

  /** Ends a running container by name. */
  exitNamed(name: string, code: number): void {
    for (const one of this.#running()) if (one.name === name) this.#end(one, code);
  }

  killSandbox(): void {
    for (const sandbox of this.sandboxes) sandbox.ready = false;
    for (const one of this.#running()) this.#end(one, 137);
  }

  /** Somebody removes a container that the agent has seen. */
  vanish(pick: number): void {
    const one = this.containers[pick % Math.max(1, this.containers.length)];
    if (!one || this.memory?.containers[one.name]?.id !== one.id) return;
    this.containers = this.containers.filter((other) => other !== one);
  }

  finishStops(): void {
    for (const one of this.#running()) {
      if (this.#stopping[one.id] !== undefined) this.#end(one, 143);
    }
    this.#stopping = {};
  }

  /** All hooks that run return. */
  finishHooks(state: "done" | "failed"): void {
    for (const [id, view] of Object.entries(this.#hooks)) {
      if (view.state === "running") this.#hooks[id] = { ...view, state };
    }
  }

  /** The probes of all containers say the same. */
  probe(answer: "starting" | "ready" | "unready" | "unhealthy"): void {
    this.#probes = Object.fromEntries(
      this.#running().map((one): [string, ProbeView] => [one.name, {
        containerId: one.id,
        started: answer !== "starting",
        ready: answer === "ready",
        ...(answer === "unhealthy" ? { unhealthy: { probe: "liveness", message: "no" } } : {}),
      }]),
    );
  }

  /** Somebody adds a debugger. */
  debug(): void {
    const list = this.pod.spec.ephemeralContainers ??= [];
    if (list.length < 2) list.push({ name: `debug${list.length}`, image: "app:1" });
  }

  /** Somebody gives the mains other resources. */
  resize(cpu: string): void {
    const { metadata, spec } = this.pod;
    for (const one of spec.containers) one.resources = { requests: { cpu } };
    metadata.generation = (metadata.generation ?? 1) + 1;
  }

  /** Somebody tells the cluster that the pod has ended, whatever runs. */
  tellEnd(phase: "Succeeded" | "Failed"): void {
    this.pod.status = { ...this.pod.status, phase, reason: "Lost" };
    this.#told = true;
  }

  delete(grace: number): void {
    this.pod.metadata.deletionTimestamp = new Date(this.now).toISOString();
    this.pod.metadata.deletionGracePeriodSeconds = grace;
  }

  /** At most one ready sandbox, and one running instance of each container. */
  check(): void {
    assert.ok(this.sandboxes.filter((one) => one.ready).length <= 1, "two ready sandboxes");
    const running = this.#running();
    assert.equal(new Set(running.map((one) => one.name)).size, running.length, "two instances");
    for (const [name, count] of this.starts) {
      const once = name.startsWith("debug") ||
        (this.pod.spec.restartPolicy === "Never" &&
          this.pod.spec.containers.some((one) => one.name === name));
      assert.ok(!once || count <= 1, `${name} ran ${count} times`);
    }
  }

  #running(): Writable<ObservedContainer>[] {
    return this.containers.filter((one) => one.state === "running");
  }

  #checkStatus(live: number): void {
    const { status } = this.pod;
    const phase = ["Pending", "Running", "Succeeded", "Failed"].indexOf(status?.phase ?? "");
    assert.ok(phase === this.#phase || (phase > this.#phase && this.#phase < 2), "phase went back");
    assert.ok(phase < 2 || live === 0 || this.#told, "a pod that has ended runs something");
    this.#phase = phase;
    const all = [...status?.containerStatuses ?? [], ...status?.initContainerStatuses ?? []];
    for (const one of all) {
      assert.ok(one.restartCount >= (this.#restarts.get(one.name) ?? 0), "restart count fell");
      assert.ok(!one.ready || one.state.running || one.state.terminated?.exitCode === 0);
      this.#restarts.set(one.name, one.restartCount);
    }
  }

  #crash(plan: Plan): Plan {
    this.#mounted = false;
    this.#images.clear();
    this.#stopping = {};
    this.#hooks = {};
    this.#probes = {};
    return plan;
  }

  #apply(action: Action, fail: boolean): void {
    if (fail && action.type !== "hook") {
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
      case "hook":
        this.#hook(action);
        break;
      case "stop":
        this.#stop(action);
        break;
      case "stop-sandbox":
        for (const one of this.sandboxes) if (one.id === action.sandboxId) one.ready = false;
        break;
      case "remove-sandbox":
        assert.ok(
          !this.#running().some((one) => one.sandboxId === action.sandboxId),
          "removed a sandbox with a running container",
        );
        this.sandboxes = this.sandboxes.filter((one) => one.id !== action.sandboxId);
        this.containers = this.containers.filter((one) => one.sandboxId !== action.sandboxId);
        break;
      case "remove-container":
        assert.ok(!this.#running().some((one) => one.id === action.containerId));
        this.containers = this.containers.filter((one) => one.id !== action.containerId);
        break;
      case "release":
        assert.equal(this.#running().length, 0, "took the volumes of a container that runs");
        break;
      case "clean":
        break;
    }
    if (this.memory) this.memory = recordDone(this.memory, action);
  }

  #hook(action: Action & { type: "hook" }): void {
    const { hook, container, containerId: id } = action;
    const run = this.memory && containerMemory(this.memory, container)?.run;
    assert.ok(run?.id !== id || run[hook] === undefined, `${hook} of ${container} ran again`);
    assert.ok(this.#running().some((one) => one.id === id), "a hook of what does not run");
    this.#hooks[id] = { hook, state: "running" };
  }

  /** A stop gives hooks and other containers the time that is theirs. */
  #stop({ containerId: id, container: name, grace }: Action & { type: "stop" }): void {
    const { memory } = this;
    const part = memory && containerMemory(memory, name);
    const kill = part?.run?.id === id ? part.run.kill : undefined;
    const time = memory?.ending ?? memory?.finish ?? kill;
    if (time && time.grace !== 0 && this.now < time.deadline) {
      const { preStop } = findContainer(this.pod, name)?.container.lifecycle ?? {};
      const told = this.#stopping[id] !== undefined;
      if (preStop && !told) assert.equal(part?.run?.preStop, "done", "TERM before the hook");
      if (!kill) assert.ok(this.#mayStop(name), `${name} was stopped before its turn`);
    }
    this.#stopping = { ...this.#stopping, [id]: ms(this.now + grace) };
  }

  #mayStop(name: string): boolean {
    const sidecars = (this.pod.spec.initContainers ?? []).filter(isSidecar).map((one) => one.name);
    if (!sidecars.includes(name)) return true;
    const later = [
      ...sidecars.slice(sidecars.indexOf(name) + 1),
      ...this.pod.spec.containers.map((one) => one.name),
    ];
    return !this.#running().some((one) => later.includes(one.name));
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

  #create(action: Start): Writable<ObservedContainer> {
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

  #start(action: Start): void {
    const one = this.containers.find(({ id }) => id === action.containerId) ?? this.#create(action);
    const box = this.sandboxes.find(({ id }) => id === one.sandboxId);
    assert.ok(box?.ready);
    this.#checkOrder(action.container, box.attempt);
    one.state = "running";
    one.startedAt = ms(this.now);
    this.starts.set(one.name, (this.starts.get(one.name) ?? 0) + 1);
    this.#images.delete(one.name);
  }

  #cut(action: Start): void {
    const one = this.containers.find(({ id }) => id === action.containerId) ?? this.#create(action);
    this.#end(one, 128);
    one.reason = "StartError";
  }

  /** All init containers before it have succeeded in this sandbox, all sidecars have started. */
  #checkOrder(name: string, attempt: number): void {
    const inits = (this.pod.spec.initContainers ?? []).map((one) => one.name);
    const at = inits.indexOf(name);
    const main = this.pod.spec.containers.some((one) => one.name === name);
    const before = main ? inits : inits.slice(0, Math.max(0, at));
    for (const init of before) {
      assert.equal(this.memory?.containers[init]?.doneFor, attempt, `${name} before ${init}`);
    }
  }

  #end(one: Writable<ObservedContainer>, code: number): void {
    one.state = "exited";
    one.exitCode = code;
    one.finishedAt = ms(this.now);
    one.reason = code === 0 ? "Completed" : "Error";
    delete this.#hooks[one.id];
  }
}
