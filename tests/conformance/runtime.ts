import assert from "node:assert/strict";
import {
  type ContainerConfig,
  type ContainerUsage,
  LABEL,
  type ObservedContainer,
  type ObservedSandbox,
  type Runtime,
  type RuntimeEvent,
  type SandboxConfig,
} from "../../agent/runtimes/mod.ts";
import {
  type Bytes,
  type Deadline,
  deadline,
  errorText,
  isAppError,
  mib,
  ms,
  seconds,
  sleep,
  systemClock,
} from "../../core/base/mod.ts";

/** What a container of the suite does. */
export type Program =
  /** Prints a line once it listens to TERM (a first process ignores it before); ends at once then. */
  | { readonly kind: "sleep" }
  /** Runs on after TERM. */
  | { readonly kind: "stubborn" }
  /** Ends by itself with `code`. */
  | { readonly kind: "exit"; readonly code: number }
  /** Prints a line and ends with 0. */
  | { readonly kind: "print"; readonly line: string }
  /** Prints a line over and over. */
  | { readonly kind: "chat"; readonly line: string }
  /** Holds at least {@linkcode HELD} of memory and burns CPU. */
  | { readonly kind: "busy" }
  /** Names a program that the image does not have. */
  | { readonly kind: "absent" };

/** What a busy container holds at least. */
export const HELD: Bytes = mib(4);

/** One implementation, ready to use. */
export interface RuntimeHarness extends AsyncDisposable {
  readonly runtime: Runtime;
  /** Makes another client of the same machine, as an agent that was restarted does. */
  again(): Runtime;
  /** An image that is there, and one that cannot be had. */
  readonly image: string;
  readonly absentImage: string;
  /** Command of a container that does what `program` says. */
  command(program: Program): readonly string[];
  /** A command for `execSync` that prints `out` and `err` and ends with `code`. */
  exec(out: string, err: string, code: number): readonly string[];
  /** The memory limit of a container as the machine has it. */
  memoryLimit(id: string): Promise<number>;
  /** A folder for log files. */
  readonly logDirectory: string;
}

type Case = (harness: RuntimeHarness, pod: Pod) => Promise<void>;

const LIMIT = seconds(60);

/**
 * What every {@linkcode Runtime} must do, run on the one that `make` makes. Cases that need an
 * ability the runtime does not have (`RuntimeInfo.features`) are skipped, with that reason in their
 * name.
 */
export function runtimeConformance(name: string, make: () => Promise<RuntimeHarness>): void {
  Deno.test(`${name} does what a Runtime must do`, async (t) => {
    await using harness = await make();
    using limit = timeLimit();
    const { features } = await harness.runtime.info(limit.signal);
    for (const [title, { needs, run }] of Object.entries(CASES)) {
      const ignore = needs !== undefined && !features[needs];
      await t.step({
        name: ignore ? `${title} (skipped: the runtime has no ${needs})` : title,
        ignore,
        fn: async () => {
          await using pod = new Pod(harness);
          await run(harness, pod);
        },
      });
    }
  });
}

/** No case takes this long on any runtime, however busy the machine. */
function timeLimit(): Deadline {
  return deadline(systemClock, LIMIT, () => new Error(`not done after ${LIMIT} ms`));
}

let pods = 0;

/** One pod of one case; whatever it started is removed at the end. */
class Pod implements AsyncDisposable {
  readonly uid = crypto.randomUUID();
  readonly #limit = timeLimit();
  readonly sandboxConfig: SandboxConfig;
  readonly #harness: RuntimeHarness;

  constructor(harness: RuntimeHarness) {
    this.#harness = harness;
    const name = `pod-${++pods}`;
    this.sandboxConfig = {
      podUid: this.uid,
      podName: name,
      podNamespace: "default",
      attempt: 0,
      hostname: name,
      logDirectory: `${harness.logDirectory}/default_${name}_${this.uid}`,
      portMappings: [],
      labels: { tier: "edge", "example.com/a": "b" },
      annotations: { note: "kept as it is: ünïcode" },
      cgroupParent: "/skerry",
      securityContext: {},
    };
  }

  get signal(): AbortSignal {
    return this.#limit.signal;
  }

  get runtime(): Runtime {
    return this.#harness.runtime;
  }

  runSandbox(attempt = 0): Promise<string> {
    return this.runtime.runSandbox({ ...this.sandboxConfig, attempt }, this.signal);
  }

  config(program: Program, change: Partial<ContainerConfig> = {}): ContainerConfig {
    return {
      name: "main",
      attempt: 0,
      image: this.#harness.image,
      command: this.#harness.command(program),
      args: [],
      workingDir: "",
      env: [],
      mounts: [],
      devices: [],
      labels: { part: "main" },
      annotations: {},
      logPath: "main/0.log",
      stdin: false,
      stdinOnce: false,
      tty: false,
      resources: {},
      securityContext: {},
      ...change,
    };
  }

  create(
    sandboxId: string,
    program: Program,
    change: Partial<ContainerConfig> = {},
  ): Promise<string> {
    const config = this.config(program, change);
    return this.runtime.createContainer(sandboxId, config, this.sandboxConfig, this.signal);
  }

  /** Sandbox, container, start. */
  async start(program: Program): Promise<{ sandboxId: string; id: string }> {
    const sandboxId = await this.runSandbox();
    const id = await this.create(sandboxId, program);
    await this.runtime.startContainer(id, this.signal);
    return { sandboxId, id };
  }

  async container(id: string): Promise<ObservedContainer | undefined> {
    const { containers } = await this.runtime.observe(this.signal, this.uid);
    return containers.find((item) => item.id === id);
  }

  async sandbox(id: string): Promise<ObservedSandbox | undefined> {
    const { sandboxes } = await this.runtime.observe(this.signal, this.uid);
    return sandboxes.find((item) => item.id === id);
  }

  /** Waits until the container is in `state`. */
  async until(id: string, state: ObservedContainer["state"]): Promise<ObservedContainer> {
    for (;; await sleep(systemClock, ms(10), this.signal)) {
      const found = await this.container(id);
      if (found?.state === state) return found;
    }
  }

  /** Waits until a container of kind `sleep` listens to TERM, where a runtime lets that be seen. */
  async untilListening(id: string): Promise<void> {
    const { features } = await this.runtime.info(this.signal);
    if (!features.logs) return;
    await untilText((await this.until(id, "running")).logPath, /./, this.signal);
  }

  /** Waits until what the container uses is as `wanted` says. */
  async untilUsage(
    id: string,
    wanted: (usage: ContainerUsage) => boolean,
  ): Promise<ContainerUsage> {
    for (;; await sleep(systemClock, ms(50), this.signal)) {
      const containers = await this.runtime.containerUsage(this.signal, this.uid);
      const found = containers.find((item) => item.id === id);
      if (found && wanted(found)) return found;
    }
  }

  /** containerd may not have heard yet that a container has ended which it has just stopped. */
  async #remove(id: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.runtime.removeContainer(id, signal);
      } catch (error) {
        if (!/is still running/.test(errorText(error))) throw error;
      }
      await sleep(systemClock, ms(20), signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#limit[Symbol.dispose]();
    using limit = timeLimit();
    const { containers, sandboxes } = await this.runtime.observe(limit.signal, this.uid);
    for (const { id } of containers) {
      await this.runtime.stopContainer(id, ms(0), limit.signal);
      await this.#remove(id, limit.signal);
    }
    for (const { id } of sandboxes) {
      await this.runtime.stopSandbox(id, limit.signal);
      await this.runtime.removeSandbox(id, limit.signal);
    }
  }
}

const CASES: Record<string, { needs?: "logs" | "streams" | "pull"; run: Case }> = {
  "conditions() says that runtime and network are ready": {
    async run({ runtime }, { signal }) {
      const conditions = await runtime.conditions(signal);
      assert.deepEqual(
        conditions.filter(({ status }) => status).map(({ type }) => type).sort(),
        ["NetworkReady", "RuntimeReady"],
      );
    },
  },
  "runSandbox() makes one sandbox however often it is called for one attempt": {
    async run({ runtime }, pod) {
      const id = await pod.runSandbox();
      await assert.rejects(pod.runSandbox(), (error) => isAppError(error, "AlreadyExists"));
      const { sandboxes } = await runtime.observe(pod.signal, pod.uid);
      assert.deepEqual(sandboxes.map((item) => [item.id, item.ready, item.attempt]), [
        [id, true, 0],
      ]);
    },
  },
  "runSandbox() makes a second sandbox for the next attempt after the first stopped": {
    async run({ runtime }, pod) {
      const first = await pod.runSandbox();
      await runtime.stopSandbox(first, pod.signal);
      const second = await pod.runSandbox(1);
      const { sandboxes } = await runtime.observe(pod.signal, pod.uid);
      const seen = sandboxes.map((item) => [item.id, item.ready, item.attempt] as const);
      assert.deepEqual(
        seen.sort((a, b) => a[2] - b[2]),
        [[first, false, 0], [second, true, 1]],
      );
    },
  },
  "observe() returns labels, annotations, names and an address as they were given": {
    async run(_, pod) {
      const { id } = await pod.start({ kind: "sleep" });
      const container = await pod.until(id, "running");
      const sandbox = await pod.sandbox(container.sandboxId);
      const { podName, podNamespace } = pod.sandboxConfig;
      assert.ok(sandbox);
      assert.equal(sandbox.podUid, pod.uid);
      assert.deepEqual([sandbox.podName, sandbox.podNamespace], [podName, podNamespace]);
      assert.equal(sandbox.ips.length, 1);
      assert.match(sandbox.ips[0] ?? "", /^\d+\.\d+\.\d+\.\d+$/);
      assert.equal(sandbox.labels["tier"], "edge");
      assert.equal(sandbox.labels[LABEL.podUid], pod.uid);
      assert.equal(sandbox.annotations["note"], "kept as it is: ünïcode");
      assert.equal(container.labels["part"], "main");
      assert.equal(container.labels[LABEL.containerName], "main");
      assert.deepEqual([container.name, container.attempt], ["main", 0]);
    },
  },
  "observe() keeps the image's name as the pod spec gave it": {
    async run(_, pod) {
      const sandboxId = await pod.runSandbox();
      const id = await pod.create(sandboxId, { kind: "sleep" }, { imageName: "as/written" });
      assert.equal((await pod.container(id))?.image, "as/written");
    },
  },
  "observe() shows only the pod that is asked for": {
    async run(harness, pod) {
      await using other = new Pod(harness);
      await Promise.all([pod.runSandbox(), other.runSandbox()]);
      const one = await harness.runtime.observe(pod.signal, pod.uid);
      assert.deepEqual(one.sandboxes.map((item) => item.podUid), [pod.uid]);
      const all = await harness.runtime.observe(pod.signal);
      const uids = new Set(all.sandboxes.map((item) => item.podUid));
      assert.ok(uids.has(pod.uid) && uids.has(other.uid));
    },
  },
  "podsByNode() counts the pods whose sandbox is ready by their node's name": {
    async run({ runtime }, pod) {
      const node = `node-of-${pod.uid}`;
      const labels = { ...pod.sandboxConfig.labels, [LABEL.node]: node };
      const first = await runtime.runSandbox({ ...pod.sandboxConfig, labels }, pod.signal);
      assert.equal((await runtime.podsByNode(pod.signal)).get(node), 1);
      await runtime.stopSandbox(first, pod.signal);
      assert.equal((await runtime.podsByNode(pod.signal)).get(node), undefined);
    },
  },
  "a container goes from created to running to exited with its times and exit code": {
    async run({ runtime }, pod) {
      const sandboxId = await pod.runSandbox();
      const id = await pod.create(sandboxId, { kind: "exit", code: 3 });
      const created = await pod.container(id);
      assert.equal(created?.state, "created");
      assert.equal(created?.startedAt, undefined);
      assert.equal(created?.exitCode, undefined);
      await runtime.startContainer(id, pod.signal);
      const exited = await pod.until(id, "exited");
      assert.equal(exited.exitCode, 3);
      assert.equal(exited.reason, "Error");
      assert.ok((exited.finishedAt ?? 0) >= (exited.startedAt ?? Infinity));
      assert.ok((exited.startedAt ?? 0) >= exited.createdAt);
    },
  },
  "a container that ends with 0 is Completed": {
    async run(_, pod) {
      const { id } = await pod.start({ kind: "exit", code: 0 });
      const { exitCode, reason } = await pod.until(id, "exited");
      assert.deepEqual({ exitCode, reason }, { exitCode: 0, reason: "Completed" });
    },
  },
  "createContainer() refuses a second container of one name and attempt": {
    async run({ runtime }, pod) {
      const sandboxId = await pod.runSandbox();
      await pod.create(sandboxId, { kind: "sleep" });
      await assert.rejects(
        pod.create(sandboxId, { kind: "sleep" }),
        (error) => isAppError(error, "AlreadyExists"),
      );
      await pod.create(sandboxId, { kind: "sleep" }, { attempt: 1 });
      const { containers } = await runtime.observe(pod.signal, pod.uid);
      assert.deepEqual(containers.map((item) => item.attempt).sort(), [0, 1]);
    },
  },
  "createContainer() fails with NotFound when the sandbox is absent": {
    async run(_, pod) {
      await assert.rejects(
        pod.create("0123456789abcdef", { kind: "sleep" }),
        (error) => isAppError(error, "NotFound"),
      );
    },
  },
  "createContainer() fails with NotFound when the image is absent": {
    async run({ absentImage }, pod) {
      const sandboxId = await pod.runSandbox();
      await assert.rejects(
        pod.create(sandboxId, { kind: "sleep" }, { image: absentImage }),
        (error) => isAppError(error, "NotFound"),
      );
    },
  },
  "startContainer() of a program that is absent fails and leaves an exited container": {
    async run({ runtime }, pod) {
      const sandboxId = await pod.runSandbox();
      const id = await pod.create(sandboxId, { kind: "absent" });
      await assert.rejects(runtime.startContainer(id, pod.signal), (error) => isAppError(error));
      const exited = await pod.until(id, "exited");
      assert.equal(exited.exitCode, 128);
      assert.equal(exited.reason, "StartError");
    },
  },
  "startContainer() fails with NotFound when the container is absent": {
    async run({ runtime }, { signal }) {
      await assert.rejects(
        runtime.startContainer("0123456789abcdef", signal),
        (error) => isAppError(error, "NotFound"),
      );
    },
  },
  "stopContainer() ends a container that listens to TERM before its grace is over": {
    async run({ runtime }, pod) {
      const { id } = await pod.start({ kind: "sleep" });
      await pod.untilListening(id);
      const from = systemClock.monotonic();
      await runtime.stopContainer(id, seconds(15), pod.signal);
      assert.ok(systemClock.monotonic() - from < 10_000);
      await pod.until(id, "exited");
    },
  },
  "stopContainer() kills a container that ignores TERM after its grace": {
    async run({ runtime }, pod) {
      const { id } = await pod.start({ kind: "stubborn" });
      const from = systemClock.monotonic();
      await runtime.stopContainer(id, seconds(1), pod.signal);
      assert.ok(systemClock.monotonic() - from >= 950);
      assert.equal((await pod.until(id, "exited")).exitCode, 137);
    },
  },
  "stopContainer() of one that has ended, and a second stop, succeed": {
    async run({ runtime }, pod) {
      const { id } = await pod.start({ kind: "exit", code: 1 });
      await pod.until(id, "exited");
      await runtime.stopContainer(id, seconds(1), pod.signal);
      await runtime.stopContainer(id, seconds(1), pod.signal);
      assert.equal((await pod.container(id))?.exitCode, 1);
    },
  },
  "stopSandbox() ends its containers; removeSandbox() removes all": {
    async run({ runtime }, pod) {
      const { sandboxId, id } = await pod.start({ kind: "sleep" });
      await runtime.stopSandbox(sandboxId, pod.signal);
      await pod.until(id, "exited");
      assert.equal((await pod.sandbox(sandboxId))?.ready, false);
      assert.deepEqual((await pod.sandbox(sandboxId))?.ips, []);
      await runtime.removeSandbox(sandboxId, pod.signal);
      assert.deepEqual(await runtime.observe(pod.signal, pod.uid), {
        sandboxes: [],
        containers: [],
      });
    },
  },
  "removeContainer() leaves its name free for the same attempt": {
    async run({ runtime }, pod) {
      const sandboxId = await pod.runSandbox();
      const first = await pod.create(sandboxId, { kind: "sleep" });
      await runtime.removeContainer(first, pod.signal);
      assert.equal(await pod.container(first), undefined);
      const second = await pod.create(sandboxId, { kind: "sleep" });
      assert.notEqual(second, first);
    },
  },
  "stops and removes of what is absent succeed": {
    async run({ runtime }, { signal }) {
      const id = "0123456789abcdef";
      await runtime.stopContainer(id, seconds(1), signal);
      await runtime.removeContainer(id, signal);
      await runtime.stopSandbox(id, signal);
      await runtime.removeSandbox(id, signal);
    },
  },
  "execSync() returns exit code and outputs": {
    async run({ runtime, exec }, pod) {
      const { id } = await pod.start({ kind: "sleep" });
      const result = await runtime.execSync(id, exec("out", "err", 7), seconds(30), pod.signal);
      const text = (data: Uint8Array): string => new TextDecoder().decode(data).trim();
      assert.deepEqual([text(result.stdout), text(result.stderr), result.exitCode], [
        "out",
        "err",
        7,
      ]);
    },
  },
  "execSync() cuts each output at 64 KiB": {
    async run({ runtime, exec }, pod) {
      const { id } = await pod.start({ kind: "sleep" });
      const long = "x".repeat(100_000);
      const { stdout } = await runtime.execSync(id, exec(long, "", 0), seconds(30), pod.signal);
      assert.equal(stdout.length, 64 * 1024);
    },
  },
  "execSync() fails with NotFound when the container is absent": {
    async run({ runtime, exec }, { signal }) {
      await assert.rejects(
        runtime.execSync("0123456789abcdef", exec("", "", 0), seconds(5), signal),
        (error) => isAppError(error, "NotFound"),
      );
    },
  },
  "containerUsage() and sandboxUsage() show what a pod burns and holds, and its network": {
    async run({ runtime }, pod) {
      const { id, sandboxId } = await pod.start({ kind: "busy" });
      const used = await pod.untilUsage(
        id,
        ({ cpuNanos, workingSet }) => cpuNanos > 200_000_000 && workingSet > HELD,
      );
      assert.deepEqual([used.podUid, used.name], [pod.uid, "main"]);
      assert.ok(Math.abs(used.at - systemClock.now()) < 60_000, `measured at ${used.at}`);
      assert.ok((used.memory ?? Infinity) >= used.workingSet);
      const sandboxes = await runtime.sandboxUsage(pod.signal, pod.uid);
      assert.deepEqual(sandboxes.map((item) => [item.id, item.podUid]), [[sandboxId, pod.uid]]);
      assert.equal(sandboxes[0]?.interfaces[0]?.name, "eth0");
      assert.ok((sandboxes[0]?.processes ?? 0) >= 1);
    },
  },
  "containerUsage() and sandboxUsage() show what runs, and only of the pod that is asked for": {
    async run(harness, pod) {
      await using other = new Pod(harness);
      const [mine, its] = await Promise.all(
        [pod, other].map((one) => one.start({ kind: "sleep" })),
      );
      const ids = async (uid?: string): Promise<readonly string[]> =>
        (await harness.runtime.containerUsage(pod.signal, uid)).map(({ id }) => id);
      assert.ok(mine && its);
      // What has just started may not be measured yet.
      await pod.untilUsage(mine.id, () => true);
      await other.untilUsage(its.id, () => true);
      assert.deepEqual(await ids(pod.uid), [mine.id]);
      const all = await ids();
      assert.ok(all.includes(mine.id) && all.includes(its.id));
      await harness.runtime.stopSandbox(mine.sandboxId, pod.signal);
      await pod.until(mine.id, "exited");
      const seen = [
        ...await harness.runtime.containerUsage(pod.signal),
        ...await harness.runtime.sandboxUsage(pod.signal),
      ].map(({ podUid }) => podUid);
      assert.deepEqual([seen.includes(pod.uid), seen.includes(other.uid)], [false, true]);
    },
  },
  "imageFilesystems() names where images lie": {
    async run({ runtime }, { signal }) {
      const [found] = await runtime.imageFilesystems(signal);
      assert.ok(found && found.mountpoint.startsWith("/") && found.used >= 0 && found.inodes >= 0);
    },
  },
  "updateResources() changes the memory limit of a running container": {
    async run({ runtime, memoryLimit }, pod) {
      const sandboxId = await pod.runSandbox();
      const resources = { memoryLimit: mib(64), cpuShares: 100 };
      const id = await pod.create(sandboxId, { kind: "sleep" }, { resources });
      await runtime.startContainer(id, pod.signal);
      assert.equal(await memoryLimit(id), mib(64));
      await runtime.updateResources(id, { memoryLimit: mib(96) }, pod.signal);
      assert.equal(await memoryLimit(id), mib(96));
      await runtime.updateResources(id, { cpuShares: 200 }, pod.signal);
      assert.equal(await memoryLimit(id), mib(96));
    },
  },
  "updateResources() and reopenLog() fail with NotFound when the container is absent": {
    async run({ runtime }, { signal }) {
      const id = "0123456789abcdef";
      const absent = (error: unknown): boolean => isAppError(error, "NotFound");
      await assert.rejects(runtime.updateResources(id, { cpuShares: 2 }, signal), absent);
      await assert.rejects(runtime.reopenLog(id, signal), absent);
    },
  },
  "reopenLog() fails for a container that has ended": {
    async run({ runtime }, pod) {
      const { id } = await pod.start({ kind: "exit", code: 0 });
      await pod.until(id, "exited");
      await assert.rejects(runtime.reopenLog(id, pod.signal), (error) => isAppError(error));
    },
  },
  "a container can join the processes of another": {
    async run({ runtime }, pod) {
      const { sandboxId, id: target } = await pod.start({ kind: "sleep" });
      const securityContext = { targetContainerId: target };
      const id = await pod.create(sandboxId, { kind: "sleep" }, { name: "debug", securityContext });
      await runtime.startContainer(id, pod.signal);
      await pod.until(id, "running");
    },
  },
  "imageStatus() knows what is there and has nothing for what is not": {
    async run({ runtime, image, absentImage }, { signal }) {
      const info = await runtime.imageStatus(image, signal);
      assert.ok(info && info.tags.includes(image) && info.size > 0, JSON.stringify(info));
      assert.equal(await runtime.imageStatus(absentImage, signal), undefined);
      const ids = (await runtime.images(signal)).map(({ id }) => id);
      assert.ok(ids.includes(info.id));
    },
  },
  "pullImage() of an image that cannot be had fails and names it": {
    async run({ runtime, absentImage }, { signal }) {
      await assert.rejects(
        runtime.pullImage(absentImage, undefined, signal),
        (error) => isAppError(error) && error.message.includes(absentImage),
      );
    },
  },
  "removeImage() of what is absent succeeds": {
    async run({ runtime, absentImage }, { signal }) {
      await runtime.removeImage(absentImage, signal);
    },
  },
  "events() names the pod whose container ended": {
    async run({ runtime }, pod) {
      const stop = new AbortController();
      const feed = follow(runtime, stop.signal);
      await feed.until(({ podUid }) => podUid === undefined, pod.signal);
      const { id } = await pod.start({ kind: "exit", code: 5 });
      await feed.until(async ({ podUid }) => {
        if (podUid !== pod.uid) return false;
        return (await pod.container(id))?.state === "exited";
      }, pod.signal);
      stop.abort();
      await feed.ended;
    },
  },
  "events() ends when its signal aborts and when its reader leaves": {
    async run({ runtime }, pod) {
      const stop = new AbortController();
      const feed = follow(runtime, stop.signal);
      stop.abort();
      await feed.ended;
      for await (const _ of runtime.events(pod.signal)) break;
    },
  },
  "a second client sees what the first one made": {
    async run({ again }, pod) {
      const { id } = await pod.start({ kind: "sleep" });
      await using other = again();
      const { containers } = await other.observe(pod.signal, pod.uid);
      assert.deepEqual(containers.map((item) => [item.id, item.state]), [[id, "running"]]);
    },
  },
  "a call whose signal has aborted rejects with the signal's reason": {
    async run({ runtime }) {
      const reason = new Error("not now");
      await assert.rejects(runtime.observe(AbortSignal.abort(reason)), (error) => error === reason);
    },
  },
  "makeLinks() makes links in place of what is there, and leaves the rest": {
    async run({ runtime }, { signal }) {
      if (!runtime.makeLinks) return;
      const dir = await Deno.makeTempDir();
      try {
        await Deno.writeTextFile(`${dir}/a`, "in the way");
        await Deno.writeTextFile(`${dir}/kept`, "here");
        const links = new Map([["a", "..data/a"], ["b", `..data/${"x".repeat(200)}`]]);
        for (let time = 0; time < 3; time++) await runtime.makeLinks(dir, links, signal);
        for (const [name, target] of links) {
          assert.equal(await Deno.readLink(`${dir}/${name}`), target);
        }
        assert.equal(await Deno.readTextFile(`${dir}/kept`), "here");
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  },
  "log files hold what the container printed": {
    needs: "logs",
    async run(_, pod) {
      const { id } = await pod.start({ kind: "print", line: "hello log" });
      const { logPath } = await pod.until(id, "exited");
      assert.equal(logPath, `${pod.sandboxConfig.logDirectory}/main/0.log`);
      const line = /^\d{4}-\d\d-\d\dT[\d:.]+\S* stdout F hello log\n$/;
      await untilText(logPath, line, pod.signal);
    },
  },
  "reopenLog() makes the runtime write to a new file": {
    needs: "logs",
    async run({ runtime }, pod) {
      const { id } = await pod.start({ kind: "chat", line: "again" });
      const logPath = (await pod.until(id, "running")).logPath;
      await untilText(logPath, /again/, pod.signal);
      await Deno.rename(logPath, `${logPath}.1`);
      await runtime.reopenLog(id, pod.signal);
      await untilText(logPath, /again/, pod.signal);
    },
  },
  "streamUrl() gives a loopback address for exec, attach and port-forward, and no terminal a stderr":
    {
      needs: "streams",
      async run({ runtime, exec }, pod) {
        const { id, sandboxId } = await pod.start({ kind: "sleep" });
        const streams = { containerId: id, stdin: false, stdout: true, stderr: true, tty: false };
        const urls = await Promise.all([
          runtime.streamUrl({ kind: "exec", command: exec("", "", 0), ...streams }, pod.signal),
          runtime.streamUrl({ kind: "attach", ...streams }, pod.signal),
          runtime.streamUrl({ kind: "port-forward", sandboxId, ports: [80] }, pod.signal),
        ]);
        for (const url of urls) assert.equal(new URL(url).hostname, "127.0.0.1");
        const both = runtime.streamUrl({ kind: "attach", ...streams, tty: true }, pod.signal);
        await assert.rejects(both, (error) => isAppError(error, "Invalid"));
      },
    },
};

/** Waits until a file says `text`: a runtime may still be writing when it says that all has ended. */
async function untilText(path: string, text: RegExp, signal: AbortSignal): Promise<void> {
  const read = (): Promise<string> => Deno.readTextFile(path).catch(() => "");
  while (!text.test(await read())) await sleep(systemClock, ms(10), signal);
}

/** Reads events in the background. */
function follow(runtime: Runtime, signal: AbortSignal): {
  readonly ended: Promise<void>;
  until(wanted: (event: RuntimeEvent) => boolean | Promise<boolean>, limit: AbortSignal): Promise<
    void
  >;
} {
  const seen: RuntimeEvent[] = [];
  let wake = (): void => {};
  const read = async (): Promise<void> => {
    for await (const event of runtime.events(signal)) {
      seen.push(event);
      wake();
    }
  };
  return {
    ended: read(),
    async until(wanted, limit) {
      while (true) {
        for (let event = seen.shift(); event; event = seen.shift()) {
          if (await wanted(event)) return;
        }
        limit.throwIfAborted();
        await new Promise<void>((resolve) => {
          wake = resolve;
          limit.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
  };
}
