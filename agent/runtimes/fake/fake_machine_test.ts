import assert from "node:assert/strict";
import { isAppError, type Ms, ms, seconds, VirtualClock } from "../../../core/base/mod.ts";
import type { ContainerConfig, Runtime, SandboxConfig } from "../runtime.ts";
import { crashLoop } from "./behaviour.ts";
import { FakeMachine } from "./fake_machine.ts";

const never = new AbortController().signal;
const IMAGE = "web:1";

function setup(): { clock: VirtualClock; machine: FakeMachine; runtime: Runtime } {
  const clock = new VirtualClock();
  const machine = new FakeMachine({ clock });
  machine.addImage(IMAGE);
  return { clock, machine, runtime: machine.connect() };
}

function sandboxConfig(podUid = "u1"): SandboxConfig {
  return {
    podUid,
    podName: podUid,
    podNamespace: "default",
    attempt: 0,
    hostname: podUid,
    logDirectory: "/logs",
    portMappings: [],
    labels: {},
    annotations: {},
    securityContext: {},
  };
}

function containerConfig(change: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    name: "main",
    attempt: 0,
    image: IMAGE,
    command: [],
    args: [],
    workingDir: "",
    env: [],
    mounts: [],
    devices: [],
    labels: {},
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

async function start(runtime: Runtime, change: Partial<ContainerConfig> = {}): Promise<string> {
  const sandbox = sandboxConfig();
  const { sandboxes: [found] } = await runtime.observe(never, sandbox.podUid);
  const sandboxId = found?.id ?? await runtime.runSandbox(sandbox, never);
  const id = await runtime.createContainer(sandboxId, containerConfig(change), sandbox, never);
  await runtime.startContainer(id, never);
  return id;
}

Deno.test("FakeMachine keeps containers when the agent's client goes", async () => {
  const { machine, runtime } = setup();
  const id = await start(runtime);
  await runtime[Symbol.asyncDispose]();
  await assert.rejects(runtime.observe(never), (error) => isAppError(error, "ServiceUnavailable"));
  const { containers } = await machine.connect().observe(never);
  assert.deepEqual(containers.map((item) => [item.id, item.state]), [[id, "running"]]);
});

Deno.test("FakeMachine ends a crash-looping container after its life, on every run", async () => {
  const { clock, machine, runtime } = setup();
  machine.script(IMAGE, crashLoop(seconds(3), 9));
  for (const attempt of [0, 1, 2]) {
    await start(runtime, { attempt });
    await clock.advance(ms(2999));
    assert.equal(machine.newest("u1", "main")?.state, "running");
    await clock.advance(ms(1));
    assert.equal(machine.newest("u1", "main")?.exitCode, 9);
  }
});

Deno.test("FakeMachine scripts a run by its attempt and by the image's tag", async () => {
  const { clock, machine, runtime } = setup();
  machine.script(
    IMAGE,
    ({ attempt }) => attempt === 0 ? { startError: "no such program" } : {},
  );
  const image = machine.images.get(IMAGE)?.id ?? "";
  await assert.rejects(start(runtime, { image }), /no such program/);
  await start(runtime, { image, attempt: 1 });
  await clock.advance(seconds(60));
  assert.equal(machine.newest("u1", "main")?.state, "running");
});

Deno.test("FakeMachine kills a stubborn container when its grace is over", async () => {
  const { clock, machine, runtime } = setup();
  machine.script(IMAGE, { onTerm: "ignore" });
  const id = await start(runtime);
  const stopped = runtime.stopContainer(id, seconds(30), never);
  await clock.advance(ms(29_999));
  assert.equal(machine.containers.get(id)?.state, "running");
  await clock.advance(ms(1));
  await stopped;
  assert.equal(machine.containers.get(id)?.exitCode, 137);
  assert.equal(clock.size, 0);
});

Deno.test("FakeMachine lets TERM work on when the caller gives up", async () => {
  const { clock, machine, runtime } = setup();
  machine.script(IMAGE, { termDelay: seconds(2), termCode: 0 });
  const id = await start(runtime);
  const stop = new AbortController();
  const stopped = runtime.stopContainer(id, seconds(30), stop.signal);
  await clock.advance(seconds(1));
  stop.abort(new Error("agent ends"));
  await assert.rejects(stopped, /agent ends/);
  await clock.advance(seconds(1));
  assert.deepEqual(
    [machine.containers.get(id)?.state, machine.containers.get(id)?.exitCode],
    ["exited", 0],
  );
});

Deno.test("FakeMachine pulls as scripted: slow, failing at first, then there", async () => {
  const { clock, machine, runtime } = setup();
  machine.scriptPull("far:1", { duration: seconds(5), failures: 1, error: "registry is away" });
  const pull = async (): Promise<unknown> => {
    const outcome = runtime.pullImage("far:1", undefined, never).catch((error) => error);
    await clock.advance(ms(4999));
    assert.equal(await runtime.imageStatus("far:1", never), undefined);
    await clock.advance(ms(1));
    return await outcome;
  };
  assert.match(String(await pull()), /registry is away/);
  const ref = await pull();
  assert.equal((await runtime.imageStatus("far:1", never))?.id, ref);
  assert.equal((await runtime.imageStatus(String(ref), never))?.id, ref);
});

Deno.test("FakeMachine fails every call while it is down and tells readers when it is back", async () => {
  const { machine, runtime } = setup();
  const stop = new AbortController();
  const events = runtime.events(stop.signal)[Symbol.asyncIterator]();
  assert.deepEqual((await events.next()).value, {});
  const id = await start(runtime);
  machine.goDown();
  await assert.rejects(runtime.observe(never), (error) => isAppError(error, "ServiceUnavailable"));
  machine.exit(id, 4);
  machine.comeBack();
  assert.deepEqual((await events.next()).value, {});
  const { containers } = await runtime.observe(never);
  assert.equal(containers[0]?.exitCode, 4);
  stop.abort();
  assert.equal((await events.next()).done, true);
});

Deno.test("FakeMachine leaves everything exited after a reboot", async () => {
  const { machine, runtime } = setup();
  await start(runtime);
  machine.reboot();
  const { sandboxes, containers } = await runtime.observe(never);
  assert.deepEqual(sandboxes.map((item) => [item.ready, item.ips]), [[false, []]]);
  assert.deepEqual(containers.map((item) => [item.state, item.exitCode]), [["exited", 137]]);
});

Deno.test("FakeMachine repeats ids and addresses run for run", async () => {
  const run = async (): Promise<unknown> => {
    const { runtime } = setup();
    for (const uid of ["a", "b"]) await runtime.runSandbox(sandboxConfig(uid), never);
    return (await runtime.observe(never)).sandboxes.map(({ id, ips }) => [id, ips]);
  };
  assert.deepEqual(await run(), await run());
});

Deno.test("FakeMachine takes the time that it is told to take", async () => {
  const clock = new VirtualClock();
  const machine = new FakeMachine({ clock, latency: { sandbox: ms(100), start: ms(50) } });
  machine.addImage(IMAGE);
  const from = clock.monotonic();
  let took: Ms | undefined;
  const started = start(machine.connect()).then(() => took = ms(clock.monotonic() - from));
  await clock.advance(seconds(1));
  await started;
  assert.equal(took, 150);
});
