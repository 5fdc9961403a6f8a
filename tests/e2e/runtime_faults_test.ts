import assert from "node:assert/strict";
import {
  type ContainerConfig,
  createCriRuntime,
  type ObservedContainer,
  type Runtime,
  type SandboxConfig,
} from "../../agent/runtimes/mod.ts";
import {
  deadline,
  isAppError,
  ms,
  seconds,
  silentLogger,
  sleep,
  systemClock,
} from "../../core/base/mod.ts";
import { type Containerd, startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";

function sandboxConfig(containerd: Containerd, name: string): SandboxConfig {
  return {
    podUid: `uid-${name}`,
    podName: name,
    podNamespace: "default",
    attempt: 0,
    hostname: name,
    logDirectory: `${containerd.paths.dir}/logs/${name}`,
    portMappings: [],
    labels: {},
    annotations: {},
    securityContext: {},
  };
}

/** Makes a sandbox and a container that is not started. */
async function create(
  runtime: Runtime,
  sandbox: SandboxConfig,
  command: string[],
  signal: AbortSignal,
): Promise<{ sandboxId: string; id: string }> {
  const config: ContainerConfig = {
    name: "main",
    attempt: 0,
    image: TEST_IMAGES.busybox,
    command,
    args: [],
    workingDir: "",
    env: [],
    mounts: [],
    devices: [],
    labels: {},
    annotations: {},
    logPath: "main.log",
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    securityContext: {},
  };
  const sandboxId = await runtime.runSandbox(sandbox, signal);
  return { sandboxId, id: await runtime.createContainer(sandboxId, config, sandbox, signal) };
}

async function start(
  runtime: Runtime,
  sandbox: SandboxConfig,
  command: string[],
  signal: AbortSignal,
): Promise<string> {
  const { id } = await create(runtime, sandbox, command, signal);
  await runtime.startContainer(id, signal);
  return id;
}

/** Collects hints in the background. */
function follow(runtime: Runtime, signal: AbortSignal): {
  readonly everything: () => number;
  readonly pods: Set<string>;
  readonly ended: Promise<void>;
} {
  let everything = 0;
  const pods = new Set<string>();
  const read = async (): Promise<void> => {
    for await (const { podUid } of runtime.events(signal)) {
      if (podUid === undefined) everything++;
      else pods.add(podUid);
    }
  };
  return { everything: () => everything, pods, ended: read() };
}

async function until(
  condition: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  while (!await condition()) await sleep(systemClock, ms(5), signal);
}

function connect(socketPath: string): Runtime {
  return createCriRuntime({ socketPath, clock: systemClock, log: silentLogger });
}

Deno.test({
  ...await needsContainerd("a client that starts before its runtime finds it when it comes"),
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "skerry-cri-" });
    using limit = deadline(systemClock, seconds(60), () => new Error("not done after 60 s"));
    await using runtime = connect(`${dir}/containerd.sock`);
    const stop = new AbortController();
    const feed = follow(runtime, stop.signal);
    await assert.rejects(
      runtime.observe(limit.signal),
      (error) => isAppError(error, "ServiceUnavailable") && error.message.includes(dir),
    );
    assert.equal(feed.everything(), 0);
    await using _containerd = await startContainerd({ dir, images: false });
    await until(() => feed.everything() === 1, limit.signal);
    assert.deepEqual(await runtime.observe(limit.signal), { sandboxes: [], containers: [] });
    stop.abort();
    await feed.ended;
  },
});

/** Observes without pause and counts outcomes. */
async function load(runtime: Runtime, signal: AbortSignal): Promise<{ ok: number; away: number }> {
  const counts = { ok: 0, away: 0 };
  while (!signal.aborted) {
    try {
      await runtime.observe(signal);
      counts.ok++;
    } catch (error) {
      if (signal.aborted) break;
      assert.ok(isAppError(error, "ServiceUnavailable"), String(error));
      counts.away++;
      await sleep(systemClock, ms(2));
    }
  }
  return counts;
}

for (const kill of ["SIGKILL", "SIGTERM"] as const) {
  Deno.test({
    ...await needsContainerd(`containers live on and calls recover when containerd gets ${kill}`),
    async fn() {
      using limit = deadline(systemClock, seconds(90), () => new Error("not done after 90 s"));
      const { signal } = limit;
      await using containerd = await startContainerd();
      await using runtime = connect(containerd.socket);
      const stop = new AbortController();
      const feed = follow(runtime, stop.signal);
      const stays = await start(
        runtime,
        sandboxConfig(containerd, "stays"),
        ["sleep", "1000"],
        signal,
      );
      // Ends while nobody looks: a file in its own root tells it to.
      const wait = "while [ ! -e /tmp/end ]; do usleep 10000; done; exit 6";
      const ends = await start(
        runtime,
        sandboxConfig(containerd, "ends"),
        ["sh", "-c", wait],
        signal,
      );
      const uptime = (): Promise<string> => processStart(runtime, stays, signal);
      const before = await uptime();
      const endPid = await pidOf(containerd, ends);

      const loads = Promise.all([1, 2, 3, 4].map(() => load(runtime, stop.signal)));
      const hints = feed.everything();
      await containerd.stop(kill);
      await assert.rejects(
        runtime.observe(signal),
        (error) => isAppError(error, "ServiceUnavailable"),
      );
      await Deno.writeTextFile(`/proc/${endPid}/root/tmp/end`, "");
      await until(async () => !await exists(`/proc/${endPid}/root/tmp`), signal);
      await containerd.start();

      await until(() => feed.everything() > hints, signal);
      const container = async (id: string): Promise<ObservedContainer | undefined> =>
        (await runtime.observe(signal)).containers.find((item) => item.id === id);
      assert.equal((await container(stays))?.state, "running");
      assert.equal(await uptime(), before);
      await until(async () => (await container(ends))?.state === "exited", signal);
      assert.equal((await container(ends))?.exitCode, 6);

      // The push works again after the reconnect.
      feed.pods.clear();
      await runtime.stopContainer(stays, ms(0), signal);
      await until(() => feed.pods.has("uid-stays"), signal);
      stop.abort();
      await feed.ended;
      for (const { ok, away } of await loads) {
        assert.ok(ok > 0 && away > 0, `${ok} ok, ${away} away`);
      }
    },
  });
}

/** When process 1 of a container started: another after a restart. */
async function processStart(runtime: Runtime, id: string, signal: AbortSignal): Promise<string> {
  const stat = await runtime.execSync(id, ["cat", "/proc/1/stat"], seconds(10), signal);
  return new TextDecoder().decode(stat.stdout).split(" ")[21] ?? "";
}

async function pidOf(containerd: Containerd, id: string): Promise<string> {
  const list = await containerd.ctr("tasks", "ls");
  return list.split("\n").find((line) => line.startsWith(id))?.split(/\s+/)[1] ?? "";
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test({
  ...await needsContainerd("removes what containerd has lost a process of"),
  async fn() {
    await using containerd = await startContainerd();
    await using runtime = createCriRuntime({
      ...{ socketPath: containerd.socket, clock: systemClock, log: silentLogger },
    });
    using limit = deadline(systemClock, seconds(60), () => new Error("this takes too long"));
    const { signal } = limit;
    for (const what of ["container", "sandbox"] as const) {
      const config = sandboxConfig(containerd, `lost-${what}`);
      const { sandboxId, id } = await create(runtime, config, ["sleep", "4243"], signal);
      // Its CRI does not know of this task, as after a start that was broken off.
      await containerd.ctr("tasks", "start", "-d", "--null-io", id);
      if (what === "container") await runtime.removeContainer(id, signal);
      await runtime.stopSandbox(sandboxId, signal);
      await runtime.removeSandbox(sandboxId, signal);
      const { containers, sandboxes } = await runtime.observe(signal);
      assert.deepEqual([containers, sandboxes], [[], []]);
    }
    // It has been killed; its end may take a moment.
    await until(async () => {
      const left = await new Deno.Command("pgrep", { args: ["-f", "sleep 4243"] }).output();
      return !left.success;
    }, signal);
  },
});
