import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { Pod } from "../../../core/api/mod.ts";
import { bytes, mib, type Ms, ms, seconds, VirtualClock } from "../../../core/base/mod.ts";
import { FakeMachine } from "../../../agent/runtimes/fake/mod.ts";
import type { ContainerConfig, Runtime, SandboxConfig } from "../../../agent/runtimes/mod.ts";
import { type MachineUsage, NodeStats, type Summary } from "../../../agent/stats/mod.ts";

const IMAGE = "example.test/web:1";
const never = new AbortController().signal;

const pod = (containerID: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-0", namespace: "shop", uid: "uid-web" },
  spec: {
    nodeName: "gate",
    containers: [{
      name: "web",
      image: IMAGE,
      resources: {
        requests: { cpu: "250m" },
        limits: { cpu: "500m", memory: "64Mi" },
      },
    }, { name: "quiet", image: IMAGE }],
  },
  status: {
    startTime: "2026-01-01T00:00:00Z",
    containerStatuses: [{
      name: "web",
      state: { running: { startedAt: "2026-01-01T00:00:02Z" } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: IMAGE,
      imageID: "",
      containerID: `containerd://${containerID}`,
    }],
  },
});

/** A node with one pod: `web` burns half a core and holds 32 MiB, `quiet` does nothing. */
class Rig {
  readonly clock = new VirtualClock();
  readonly machine = new FakeMachine({ clock: this.clock });
  readonly pods: Pod[] = [];
  /** Counts measurements. */
  reads = 0;
  readonly stats: NodeStats;
  readonly #runtime: Runtime;

  constructor() {
    this.machine.addImage(IMAGE);
    this.machine.script(IMAGE, ({ name }) =>
      name === "web"
        ? {
          usage: (ran: Ms) => ({
            cpuNanos: ran * 500_000,
            workingSet: mib(32),
            memory: mib(40),
            rss: mib(30),
            pageFaults: 1200,
            majorPageFaults: 3,
            filesystem: { used: bytes(8192), inodes: 4 },
          }),
        }
        : {});
    this.machine.interfaces.set("uid-web", [
      { name: "eth0", rxBytes: 1000, rxErrors: 1, txBytes: 2000, txErrors: 2 },
    ]);
    this.machine.imageFilesystems.push({ mountpoint: "/images", used: mib(300), inodes: 900 });
    this.#runtime = this.machine.connect();
    this.stats = new NodeStats({
      node: "gate",
      facts: {
        hostname: "gate",
        cpus: 4,
        memory: mib(1024),
        architecture: "arm64",
        kernel: "6.1.0",
        osImage: "Linux",
        machineId: "m1",
        bootId: "2025-12-31T00:00:00.000Z",
        addresses: [],
      },
      uptime: () => seconds(86_400 + this.clock.monotonic() / 1000),
      runtime: {
        ...bound(this.#runtime),
        containerUsage: (signal: AbortSignal) => {
          this.reads++;
          return this.#runtime.containerUsage(signal);
        },
      } as Runtime,
      pods: () => this.pods,
      stateDir: "/state",
      clock: this.clock,
      readMachine: () => this.#readMachine(),
      loadDisk: (path) =>
        Promise.resolve(
          path === "/state"
            ? {
              size: mib(8192),
              available: mib(4096),
              inodes: 1000,
              inodesFree: 600,
            }
            : undefined,
        ),
    });
  }

  /** The whole machine burns one core. */
  #readMachine(): MachineUsage {
    return {
      at: this.clock.now(),
      cpuNanos: 1e12 + this.clock.monotonic() * 1e6,
      memory: mib(1024),
      memoryAvailable: mib(768),
      memoryFree: mib(512),
    };
  }

  async startPod(): Promise<void> {
    const sandbox: SandboxConfig = {
      podUid: "uid-web",
      podName: "web-0",
      podNamespace: "shop",
      attempt: 0,
      hostname: "web-0",
      logDirectory: "/logs",
      portMappings: [],
      labels: {},
      annotations: {},
      securityContext: {},
    };
    const id = await this.#runtime.runSandbox(sandbox, never);
    for (const name of ["web", "quiet"]) {
      const config = { name, attempt: 0, image: IMAGE, labels: {}, annotations: {}, resources: {} };
      const made = await this.#runtime.createContainer(
        id,
        config as unknown as ContainerConfig,
        sandbox,
        never,
      );
      await this.#runtime.startContainer(made, never);
      if (name === "web") this.pods.splice(0, 1, pod(made));
    }
  }

  /** What `work` gives, with time passing meanwhile. */
  async during<T>(work: Promise<T>, time = seconds(5)): Promise<T> {
    await this.clock.advance(time);
    return await work;
  }
}

/** Methods of a class instance that can be spread. */
function bound(runtime: Runtime): Pick<Runtime, "imageFilesystems" | "sandboxUsage"> {
  return {
    imageFilesystems: (signal) => runtime.imageFilesystems(signal),
    sandboxUsage: (signal) => runtime.sandboxUsage(signal),
  };
}

async function golden(name: string, text: string): Promise<void> {
  const url = new URL(name, import.meta.url);
  if (Deno.env.has("UPDATE_GOLDEN")) await Deno.writeTextFile(url, text);
  strictEqual(text, await Deno.readTextFile(url));
}

function cpuOf(summary: Summary, name: string): number | undefined {
  return summary.pods[0]?.containers.find((item) => item.name === name)?.cpu.usageNanoCores;
}

Deno.test("NodeStats.summary() is the kubelet's, with what was measured", async () => {
  const rig = new Rig();
  await rig.startPod();
  await rig.clock.advance(seconds(10));
  const summary = await rig.during(rig.stats.summary(never));
  await golden("summary.json", `${JSON.stringify(summary, undefined, 2)}\n`);
});

Deno.test("NodeStats.resourceMetrics() and cadvisorMetrics() are Prometheus' text", async () => {
  const rig = new Rig();
  await rig.startPod();
  await rig.clock.advance(seconds(10));
  await golden("resource.txt", await rig.stats.resourceMetrics(never));
  await golden("cadvisor.txt", await rig.stats.cadvisorMetrics(never));
  strictEqual(rig.reads, 1);
});

Deno.test("NodeStats takes rates of two measurements a second apart, once for all who ask", async () => {
  const rig = new Rig();
  await rig.startPod();
  const asked = Promise.all([rig.stats.summary(never), rig.stats.summary(never, { brief: true })]);
  const [one, two] = await rig.during(asked);
  strictEqual(rig.reads, 2);
  deepStrictEqual([cpuOf(one, "web"), cpuOf(two, "web")], [5e8, 5e8]);
  strictEqual(one.node.cpu.usageNanoCores, 1e9);
  strictEqual(one.skerry.windowSeconds, 1.05);
});

Deno.test("NodeStats takes rates since the last time somebody asked, when that is not long ago", async () => {
  const rig = new Rig();
  await rig.startPod();
  await rig.stats.resourceMetrics(never);
  await rig.clock.advance(seconds(15));
  const summary = await rig.stats.summary(never, { brief: true });
  deepStrictEqual([rig.reads, summary.skerry.windowSeconds], [2, 15]);
  strictEqual(cpuOf(summary, "web"), 5e8);
  await rig.clock.advance(seconds(61));
  const later = await rig.during(rig.stats.summary(never, { brief: true }));
  deepStrictEqual([rig.reads, later.skerry.windowSeconds], [4, 1.05]);
});

Deno.test("NodeStats measures again for a container that it has not seen before", async () => {
  const rig = new Rig();
  await rig.stats.resourceMetrics(never);
  await rig.clock.advance(seconds(5));
  await rig.startPod();
  const summary = await rig.during(rig.stats.summary(never, { brief: true }));
  strictEqual(cpuOf(summary, "web"), 5e8);
});

Deno.test("NodeStats says in its metrics that the runtime is away, and refuses a summary", async () => {
  const rig = new Rig();
  rig.machine.goDown();
  strictEqual(
    (await rig.stats.resourceMetrics(never)).split("\n").at(-2),
    "resource_scrape_error 1",
  );
  const text = await rig.stats.cadvisorMetrics(never);
  ok(text.includes("container_scrape_error 1\n") && text.includes("machine_cpu_cores{"), text);
  await rejects(rig.stats.summary(never), /down/);
});

Deno.test("NodeStats without a runtime measures the machine", async () => {
  const clock = new VirtualClock();
  const rig = new Rig();
  const stats = new NodeStats({
    node: "bare",
    facts: { cpus: 1, memory: mib(1) } as never,
    uptime: () => ms(0),
    pods: () => [],
    stateDir: "/",
    clock,
  });
  const summary = stats.summary(never);
  // The disk is the real one, so real time passes.
  const { node, pods } = await settleWith(clock, summary);
  ok(node.cpu.usageCoreNanoSeconds > 1e9 && node.memory.workingSetBytes > 0);
  ok((node.fs?.capacityBytes ?? 0) > 0);
  deepStrictEqual([pods, rig.reads], [[], 0]);
});

/** Moves virtual time on until `work` is done. */
async function settleWith<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let done = false;
  work.then(() => done = true, () => done = true);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(seconds(2));
  }
  return await work;
}
