import assert from "node:assert/strict";
import { DEVICE_RESOURCES_ANNOTATION, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { errorText, ms, silentLogger, sleep, systemClock } from "../../core/base/mod.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import { TestPlugin } from "../../tools/deviceplugin/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { SOURCE_ANNOTATION } from "../manifests/mod.ts";
import { DEVICE_SPACE, type DeviceAnswer } from "../pods/mod.ts";
import { DevicePlugins } from "./mod.ts";

const NEVER = new AbortController().signal;
const NODE = "n1";
const RESOURCE = "example.com/fake";

/** A folder of device plugins that is served, with its store. */
class Bench implements AsyncDisposable {
  readonly folder: string;
  readonly store: LocalStore;
  readonly devices: DevicePlugins;
  changes = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(folder: string, store: LocalStore, cdiFolder?: string) {
    this.folder = folder;
    this.store = store;
    this.devices = new DevicePlugins({
      ...{ folder, store },
      clock: systemClock,
      log: silentLogger,
      nativeCdi: () => Promise.resolve(cdiFolder === undefined),
      changed: () => this.changes++,
      ...(cdiFolder ? { cdiFolders: [cdiFolder] } : {}),
    });
    this.#running = this.devices.run(this.#stop.signal, () => {});
  }

  /** `given` is what an agent before this one has left. */
  static async start(
    given: { folder?: string; store?: LocalStore; cdiFolder?: string } = {},
  ): Promise<Bench> {
    const folder = given.folder ?? await Deno.makeTempDir();
    const store = given.store ??
      openSqliteStore({ path: ":memory:", clock: systemClock, log: silentLogger });
    const bench = new Bench(folder, store, given.cdiFolder);
    await bench.until("kubelet.sock is there", async () => await exists(`${folder}/kubelet.sock`));
    return bench;
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = systemClock.monotonic() + 120_000;
    while (!(await holds())) {
      if (systemClock.monotonic() > end) throw new Error(`waited in vain until ${what}`);
      await sleep(systemClock, ms(10));
    }
  }

  allocatable(resource = RESOURCE): number | undefined {
    return this.devices.resources().allocatable[resource];
  }

  async has(count: number | undefined, resource = RESOURCE): Promise<void> {
    await this.until(`${resource} is ${count}`, () => this.allocatable(resource) === count);
  }

  allocate(pod: Pod): Promise<DeviceAnswer> {
    return this.devices.allocate(pod, NEVER);
  }

  /** Ends the agent; its folder and store stay. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the agent ends"));
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.store[Symbol.dispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function pod(name: string, count: number, resource = RESOURCE): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: `uid-${name}` },
    spec: {
      nodeName: NODE,
      containers: [{ name: "main", image: "i", resources: { limits: { [resource]: `${count}` } } }],
    },
  };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: lacks("device-plugin") !== undefined, fn });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** The devices of each call of Allocate, at least `count`: what a plugin prints comes after its answers. */
async function allocations(bench: Bench, plugin: TestPlugin, count: number): Promise<unknown[]> {
  const seen = (): unknown[] =>
    plugin.lines.filter(({ call }) => call === "Allocate").map(({ ids }) => ids);
  await bench.until(`the plugin says of ${count}`, () => seen().length >= count);
  return seen();
}

async function links(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name)
    .filter((name) => name.startsWith(".skerry")).sort();
}

test("a real device plugin registers, and its devices are the node's as they come and go", async () => {
  await using bench = await Bench.start();
  {
    await using plugin = await TestPlugin.start(bench.folder);
    await plugin.says(({ registered }) => registered === true);
    await bench.has(4);
    await plugin.tell("sick dev-1");
    await bench.has(3);
    assert.equal(bench.devices.resources().capacity[RESOURCE], 4);
    await plugin.tell("well dev-1");
    await bench.has(4);
    assert.deepEqual(await links(bench.folder), [".skerry-0.sock"]);
  }
  await bench.has(0);
  assert.equal(bench.devices.resources().capacity[RESOURCE], 4);
  await bench.until("the link is gone", async () => (await links(bench.folder)).length === 0);
  await using again = await TestPlugin.start(bench.folder);
  await again.says(({ registered }) => registered === true);
  await bench.has(4);
});

test("a pod gets devices of its own, and the same ones again after the agent's restart", async () => {
  await using bench = await Bench.start();
  const want: Record<string, unknown> = {
    env: { SKERRY_TEST_DEVICES: "dev-0,dev-1" },
    mounts: [{
      hostPath: "/etc/hostname",
      containerPath: "/device-file",
      readonly: true,
      propagation: "private",
    }],
    devices: [
      { hostPath: "/dev/zero", containerPath: "/dev/fake-zero", permissions: "r" },
      { hostPath: "/dev/null", containerPath: "/dev/fake-null", permissions: "rw" },
    ],
    annotations: { "example.com/devices": "dev-0,dev-1" },
    cdiDevices: [],
  };
  {
    await using plugin = await TestPlugin.start(bench.folder);
    await plugin.says(({ registered }) => registered === true);
    await bench.has(4);
    // At once: nobody gets what another has.
    const answers = await Promise.all(
      [pod("a", 2), pod("b", 2), pod("c", 1)].map((one) => bench.allocate(one)),
    );
    assert.deepEqual(answers.map(({ kind }) => kind), ["granted", "granted", "refused"]);
    assert.deepEqual(answers[2], {
      kind: "refused",
      rejection: {
        reason: "UnexpectedAdmissionError",
        message: "Allocate failed due to requested number of devices unavailable for " +
          `${RESOURCE}. Requested: 1, Available: 0, which is unexpected`,
      },
    });
    assert.deepEqual(await bench.devices.prepare(pod("a", 2), "main", NEVER), want);
    assert.deepEqual(await bench.allocate(pod("a", 2)), { kind: "granted" });
    assert.equal((await allocations(bench, plugin, 2)).length, 2);
    bench.store.transact((tx) => tx.deleteRow(DEVICE_SPACE, "uid-b"));
    assert.deepEqual(await bench.allocate(pod("c", 1)), { kind: "granted" });
  }
  await bench.stop();
  const { folder, store } = bench;
  const next = await Bench.start({ folder, store });
  assert.deepEqual(await next.allocate(pod("a", 2)), { kind: "granted" });
  assert.deepEqual(await next.devices.prepare(pod("a", 2), "main", NEVER), want);
  assert.equal(await next.devices.prepare(pod("z", 2), "main", NEVER), undefined);
  await next.stop();
});

const WAITS: DeviceAnswer = {
  kind: "waits",
  message: `no device plugin for ${RESOURCE} is registered on this node`,
};

test("a pod waits for a plugin that is not there, and fails when the plugin refuses it", async () => {
  await using bench = await Bench.start();
  bench.store.transact((tx) => {
    const annotations = { [DEVICE_RESOURCES_ANNOTATION]: `example.com/other,${RESOURCE}` };
    tx.put(RESOURCES.nodes, {
      ...{ apiVersion: "v1", kind: "Node" },
      metadata: { name: NODE, annotations },
    });
  });
  assert.deepEqual(await bench.allocate(pod("a", 1)), WAITS);
  await using plugin = await TestPlugin.start(bench.folder, ["-alloc-fail"]);
  await plugin.says(({ registered }) => registered === true);
  await bench.has(4);
  const answer = await bench.allocate(pod("a", 1));
  assert.equal(answer.kind, "refused");
  const { message } = answer.kind === "refused" ? answer.rejection : { message: "" };
  assert.match(message, /Allocate with Unknown: .*100% lost, état inconnu, which is unexpected/);
  assert.deepEqual(bench.store.transact((tx) => tx.rows(DEVICE_SPACE)), []);
});

test("of a resource that no plugin has ever offered nothing is given; a static pod waits for it", async () => {
  await using bench = await Bench.start();
  const fixed = pod("a", 1);
  fixed.metadata.annotations = { [SOURCE_ANNOTATION]: "file" };
  assert.deepEqual(await bench.allocate(fixed), WAITS);
  await using plugin = await TestPlugin.start(bench.folder);
  await plugin.says(({ registered }) => registered === true);
  await bench.has(4);
  const mixed = pod("b", 1);
  Object.assign(mixed.spec.containers[0]?.resources?.limits ?? {}, { "example.com/dongle": "5" });
  assert.deepEqual(await bench.allocate(mixed), { kind: "granted" });
  const [row] = bench.store.transact((tx) => tx.rows(DEVICE_SPACE));
  assert.match(row?.value ?? "", /"resource":"example.com\/fake","ids":\["dev-0"\]/);
  assert.doesNotMatch(row?.value ?? "", /dongle/);
});

test("a plugin's preference counts, and it hears of every run when it asks for that", async () => {
  await using bench = await Bench.start();
  await using plugin = await TestPlugin.start(bench.folder, ["-prefer", "-prestart"]);
  await plugin.says(({ registered }) => registered === true);
  await bench.has(4);
  const first = pod("a", 2);
  first.spec.initContainers = [{ ...first.spec.containers[0], name: "init", image: "i" }];
  assert.deepEqual(await bench.allocate(first), { kind: "granted" });
  const allocated = await allocations(bench, plugin, 2);
  // The init container's devices go on to the container.
  assert.deepEqual(allocated, [["dev-3", "dev-2"], ["dev-2", "dev-3"]]);
  await bench.devices.prepare(first, "main", NEVER);
  const { ids } = await plugin.says(({ call }) => call === "PreStartContainer");
  assert.deepEqual(ids, ["dev-2", "dev-3"]);
});

test("registrations that are wrong are told so, and two plugins live side by side", async () => {
  await using bench = await Bench.start();
  for (
    const [flags, want] of [
      [["-version", "v1alpha"], /API version "v1alpha" is not supported by kubelet/],
      [["-resource", "fake"], /the ResourceName "fake" is invalid/],
      [["-resource", "kubernetes.io/fake"], /is invalid/],
    ] as const
  ) {
    await using plugin = await TestPlugin.start(bench.folder, flags);
    const { error } = await plugin.says(({ registered }) => registered === false);
    assert.match(error ?? "", want);
  }
  assert.deepEqual(bench.devices.resources().capacity, {});
  await using one = await TestPlugin.start(bench.folder);
  await using two = await TestPlugin.start(bench.folder, [
    ...["-resource", "example.com/two", "-endpoint", "two.sock", "-count", "2"],
  ]);
  await one.says(({ registered }) => registered === true);
  await two.says(({ registered }) => registered === true);
  await bench.has(4);
  await bench.has(2, "example.com/two");
});

test("a plugin that registers a thousand times leaves one link and one stream", async () => {
  await using bench = await Bench.start();
  await using plugin = await TestPlugin.start(bench.folder, ["-times", "1000"]);
  const all = (): boolean => plugin.lines.filter(({ registered }) => registered).length === 1000;
  await bench.until("all are registered", all);
  await bench.has(4);
  await bench.until("one link is left", async () => (await links(bench.folder)).length === 1);
  assert.deepEqual(plugin.lines.filter(({ error }) => error !== undefined), []);
});

test("a new agent takes the folder over, and leaves one alone that another serves", async () => {
  await using bench = await Bench.start();
  await Deno.writeTextFile(`${bench.folder}/kubelet_internal_checkpoint`, "{}");
  await using plugin = await TestPlugin.start(bench.folder);
  await plugin.says(({ registered }) => registered === true);
  const logged: string[] = [];
  const second = new DevicePlugins({
    folder: bench.folder,
    store: bench.store,
    clock: systemClock,
    log: { ...silentLogger, warn: (_, fields) => void logged.push(errorText(fields?.["error"])) },
    nativeCdi: () => Promise.resolve(true),
    changed: () => {},
  });
  const stop = new AbortController();
  const running = second.run(stop.signal, () => {});
  await bench.until("it says so", () => logged.length > 0);
  assert.match(logged[0] ?? "", /is served by another kubelet or agent/);
  stop.abort();
  await running;
  await bench.has(4);

  await bench.stop();
  const next = await Bench.start({ folder: bench.folder, store: bench.store });
  assert.equal(await exists(`${bench.folder}/fake.sock`), false, "plugins see that they must come");
  assert.equal(await exists(`${bench.folder}/kubelet_internal_checkpoint`), true);
  await next.stop();
});

test("CDI devices reach a runtime without CDI as what their specs say", async () => {
  const cdiFolder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${cdiFolder}/v.json`,
    JSON.stringify({
      cdiVersion: "0.6.0",
      kind: "example.com/fake",
      devices: [{ name: "one", containerEdits: { env: ["FROM_CDI=1"] } }],
    }),
  );
  await using bench = await Bench.start({ cdiFolder });
  await using plugin = await TestPlugin.start(bench.folder, ["-cdi", "example.com/fake=one"]);
  await plugin.says(({ registered }) => registered === true);
  await bench.has(4);
  await bench.allocate(pod("a", 1));
  const grant = await bench.devices.prepare(pod("a", 1), "main", NEVER);
  assert.equal(grant?.env["FROM_CDI"], "1");
  assert.equal(grant?.env["SKERRY_TEST_DEVICES"], "dev-0");
  assert.deepEqual(grant?.cdiDevices, []);
  await Deno.remove(cdiFolder, { recursive: true });
});
