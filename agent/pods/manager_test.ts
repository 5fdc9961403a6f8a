import assert from "node:assert/strict";
import { type ContainerStatus, type PodSpec, RESOURCES } from "../../core/api/mod.ts";
import { ms, seededRandom, sleep, systemClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import { GONE_SPACE, MEMORY_SPACE } from "./options.ts";
import { readToken, writeToken } from "./pod_tokens.ts";
import { otherRuntime, type PodBench, startBench, testPod } from "./testing/mod.ts";

function machine(): FakeMachine {
  const made = new FakeMachine({ clock: systemClock });
  made.addImage("app:1");
  return made;
}

Deno.test("PodManager runs a pod, reports it and ends it", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  const status = await bench.until("running", () => {
    const now = bench.pod("web")?.status;
    return now?.phase === "Running" && now.containerStatuses?.[0]?.state.running ? now : undefined;
  });
  assert.equal(status.podIP, [...host.sandboxes.values()][0]?.ip);
  assert.equal(status.conditions?.find((one) => one.type === "Ready")?.status, "True");
  bench.remove("web");
  await bench.until("gone", () => bench.gone.includes("uid-web"));
  assert.equal(host.sandboxes.size, 0);
  assert.equal(host.containers.size, 0);
  const reasons = bench.events.map((one) => one.event.reason);
  assert.deepEqual(reasons, ["Pulled", "Created", "Started", "Killing"]);
});

Deno.test("PodManager notices an exit that comes while it writes down what it saw before", async () => {
  const host = machine();
  let armed = true;
  const connect = (): Runtime => {
    const inner = host.connect();
    const observe: Runtime["observe"] = async (signal, podUid) => {
      const seen = await inner.observe(signal, podUid);
      if (armed && seen.containers.some(({ state }) => state === "running")) {
        armed = false;
        host.exit(host.newest("uid-job", "main")?.id ?? "", 7);
        // The event of it is told before the observation is.
        await sleep(systemClock, ms(50));
      }
      return seen;
    };
    return otherRuntime(inner, { observe });
  };
  await using bench = await startBench({ connect });
  bench.put(testPod("job", { restartPolicy: "Never" }));
  await bench.until("the end is told", () => bench.pod("job")?.status?.phase === "Failed");
  const [status] = bench.pod("job")?.status?.containerStatuses ?? [];
  assert.equal(status?.state.terminated?.exitCode, 7);
});

async function isRunning(bench: PodBench, name: string): Promise<ContainerStatus> {
  return await bench.until(`${name} runs`, () => {
    const one = bench.pod(name)?.status?.containerStatuses?.[0];
    return one?.state.running && one;
  });
}

/** Lets the manager do all that it would do: it has looked at every pod once more. */
async function quiet(bench: PodBench): Promise<void> {
  bench.put(testPod("probe", {}, crypto.randomUUID()));
  await isRunning(bench, "probe");
  bench.remove("probe", 0);
  await bench.until("probe is gone", () => !bench.pod("probe"));
}

function purge(bench: PodBench, name: string): void {
  bench.store.transact((tx) => tx.purge({ resource: RESOURCES.pods, namespace: "default", name }));
}

Deno.test("PodManager keeps a pod running whose object is absent without evidence", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  const before = await isRunning(bench, "web");
  purge(bench, "web");
  await quiet(bench);
  await bench.restart();
  await quiet(bench);
  assert.equal(host.newest("uid-web", "main")?.state, "running");
  bench.put(testPod("web"));
  assert.equal((await isRunning(bench, "web")).containerID, before.containerID);
});

Deno.test("PodManager starts again with tokens that are kept, and forgets those of pods that are gone", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  const source = { audience: "", expirationSeconds: 3607 };
  const token = { token: "t", issuedAt: ms(0), expiresAt: ms(3_607_000) };
  const kept = (name: string) =>
    bench.store.transact((tx) => readToken(tx, testPod(name), source)?.token);
  for (const name of ["web", "gone"]) writeToken(bench.store, testPod(name), source, token);
  bench.put(testPod("web"));
  await isRunning(bench, "web");
  await bench.restart();
  await isRunning(bench, "web");
  assert.deepEqual([kept("web"), kept("gone")], ["t", undefined]);
});

Deno.test("PodManager ends a pod without an object on a tombstone, once the store has synced", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  await isRunning(bench, "web");
  bench.synced = false;
  purge(bench, "web");
  bench.manager.remove("uid-web", 0);
  await quiet(bench);
  assert.equal(host.newest("uid-web", "main")?.state, "running");
  bench.synced = true;
  bench.manager.lookAgain();
  await bench.until("nothing is left", () => {
    const rows = bench.store.transact((tx) => [...tx.rows(GONE_SPACE), ...tx.rows(MEMORY_SPACE)]);
    return host.containers.size + host.sandboxes.size + rows.length === 0;
  });
});

Deno.test("PodManager ends an orphan that only the runtime knows, with a tombstone and not without", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  for (const name of ["a", "b"]) {
    bench.put(testPod(name));
    await isRunning(bench, name);
  }
  await bench.stop();
  bench.store.transact((tx) => {
    for (const row of tx.rows(MEMORY_SPACE)) tx.deleteRow(MEMORY_SPACE, row.key);
    tx.putRow(GONE_SPACE, "uid-a", "{}");
  });
  for (const name of ["a", "b"]) purge(bench, name);
  await bench.restart();
  await bench.until("a has ended", () => !host.newest("uid-a", "main"));
  await quiet(bench);
  assert.equal(host.newest("uid-b", "main")?.state, "running");
});

Deno.test("PodManager ends the old pod before it starts a new one of the same name", async () => {
  const host = machine();
  host.script("app:1", { termDelay: ms(100) });
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web", {}, "old"));
  await isRunning(bench, "web");
  bench.put(testPod("web", {}, "new"));
  await bench.until("new runs", () => {
    const old = host.newest("old", "main");
    const next = host.newest("new", "main");
    assert.ok(!next || !old || old.state === "exited", "both at once");
    return next?.state === "running" && !old;
  });
  assert.equal(host.sandboxes.size, 1);
});

Deno.test("PodManager counts no restart while the runtime is away, and sees exits when it is back", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web", { restartPolicy: "Never" }));
  const before = await isRunning(bench, "web");
  host.goDown();
  host.exit(before.containerID?.replace("fake://", "") ?? "", 7);
  bench.put(testPod("late"));
  host.comeBack();
  await isRunning(bench, "late");
  const status = await bench.until("failed", () => {
    const now = bench.pod("web")?.status;
    return now?.phase === "Failed" && now;
  });
  assert.equal(status.containerStatuses?.[0]?.state.terminated?.exitCode, 7);
  assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
});

Deno.test("PodManager refuses a pod that it cannot honour and names the field", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  const container = {
    name: "main",
    image: "app:1",
    lifecycle: { stopSignal: "SIGINT" },
  };
  bench.put(testPod("web", { containers: [container] }));
  const status = await bench.until("refused", () => bench.pod("web")?.status);
  assert.equal(status.phase, "Pending");
  const condition = status.conditions?.find((one) => one.type === "skerry.dev/Supported");
  assert.match(condition?.message ?? "", /spec\.containers\[0\]\.lifecycle\.stopSignal/);
  assert.deepEqual(bench.events.map((one) => one.event.reason), ["UnsupportedField"]);
  assert.equal(host.sandboxes.size, 0);
  bench.remove("web");
  await bench.until("gone", () => bench.gone.includes("uid-web"));
});

Deno.test("PodManager starts a pod when the configMap that it waits for comes", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  const valueFrom = { configMapKeyRef: { name: "cm", key: "a" } };
  const container = { name: "main", image: "app:1", env: [{ name: "A", valueFrom }] };
  bench.put(testPod("web", { containers: [container] }));
  await bench.until("waits", () => {
    const state = bench.pod("web")?.status?.containerStatuses?.[0]?.state;
    return state?.waiting?.reason === "CreateContainerConfigError";
  });
  bench.store.transact((tx) =>
    tx.put(RESOURCES.configmaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "cm", namespace: "default", uid: "cm" },
      data: { a: "$(X) $$(A)" },
    })
  );
  await isRunning(bench, "web");
  assert.deepEqual(host.newest("uid-web", "main")?.config.env, [{
    name: "A",
    value: "$(X) $$(A)",
  }]);
});

Deno.test("PodManager pulls an image once for many pods and backs off when it fails", async () => {
  const host = machine();
  host.scriptPull("far:1", { duration: ms(50) });
  await using bench = await startBench({ connect: () => host.connect() });
  const containers = [{ name: "main", image: "far:1" }];
  for (const name of ["a", "b", "c"]) bench.put(testPod(name, { containers }));
  for (const name of ["a", "b", "c"]) await isRunning(bench, name);
  assert.equal(host.pulls.get("far:1"), 1);
  bench.put(testPod("bad", { containers: [{ name: "main", image: "none:1" }] }));
  await bench.until("image error", () => {
    const state = bench.pod("bad")?.status?.containerStatuses?.[0]?.state;
    return state?.waiting?.reason === "ErrImagePull";
  });
});

Deno.test("PodManager pulls no image whose name is none, and says what is wrong with it", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("bad", { containers: [{ name: "main", image: "Foo:::bar" }] }));
  await bench.until("image error", () => {
    const { waiting } = bench.pod("bad")?.status?.containerStatuses?.[0]?.state ?? {};
    return waiting?.reason === "InvalidImageName" &&
      /must be lowercase/.test(waiting.message ?? "");
  });
  assert.equal(host.pulls.size, 0);
});

Deno.test("PodManager runs every pod once under random faults of runtime and agent", async () => {
  const random = seededRandom(7);
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  const pick = (n: number): number => Math.floor(random() * n);
  const names = ["a", "b", "c", "d"];
  const check = (): void => {
    const live = [...host.containers.values()].filter((one) => one.state === "running");
    const keys = live.map((one) => one.sandbox.config.podUid);
    assert.equal(new Set(keys).size, keys.length, "two instances of one container");
    const ready = [...host.sandboxes.values()].filter((one) => one.ready);
    const uids = ready.map((one) => one.config.podUid);
    assert.equal(new Set(uids).size, uids.length, "two sandboxes of one pod");
  };
  let made = 0;
  for (let step = 0; step < 60; step++) {
    const name = names[pick(names.length)] ?? "a";
    const live = [...host.containers.values()].filter((one) => one.state === "running");
    const one = live[pick(live.length)];
    switch (pick(8)) {
      case 0:
      case 1:
        if (!bench.pod(name)) bench.put(testPod(name, {}, `${name}-${++made}`));
        break;
      case 2:
        if (bench.pod(name)) bench.remove(name, 1);
        break;
      case 3:
        if (one) host.exit(one.id, pick(2));
        break;
      case 4:
        if (one) host.killSandbox(one.sandbox.id);
        break;
      case 5:
        await bench.restart();
        break;
      case 6:
        host.goDown();
        await bench.restart();
        host.comeBack();
        break;
      case 7:
        bench.put(testPod(name, {}, `${name}-${++made}`));
        break;
    }
    check();
    // The schedule is what varies: faults meet the work at any of its points.
    await sleep(systemClock, ms(pick(25)));
    check();
  }
  for (const name of names) if (bench.pod(name)) bench.remove(name, 0);
  await bench.until("all ended", () => {
    check();
    const rows = bench.store.transact((tx) => tx.rows(MEMORY_SPACE));
    return host.sandboxes.size === 0 && host.containers.size === 0 && rows.length === 0;
  });
  assert.ok(made > 5);
});

Deno.test({
  name: "PodManager does all of its work with only its own folders permitted",
  permissions: { read: ["/tmp"], write: ["/tmp"] },
  async fn() {
    const host = machine();
    await using bench = await startBench({ connect: () => host.connect() });
    const config = (text: string): void => {
      bench.store.transact((tx) =>
        tx.put(RESOURCES.configmaps, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "cm", namespace: "default", uid: "cm" },
          data: { a: text },
        })
      );
    };
    config("one");
    const mounts = [{ name: "cm", mountPath: "/cm" }, { name: "t", mountPath: "/t", subPath: "x" }];
    bench.put(testPod("web", {
      securityContext: { fsGroup: 1000 },
      containers: [{ name: "main", image: "app:1", volumeMounts: mounts }],
      volumes: [
        { name: "cm", configMap: { name: "cm" } },
        { name: "t", emptyDir: {} },
      ],
    }));
    await isRunning(bench, "web");
    const folder = host.newest("uid-web", "main")?.config.mounts.find((one) =>
      one.containerPath === "/cm"
    )?.hostPath;
    assert.equal(await Deno.readTextFile(`${folder}/a`), "one");
    config("two");
    await bench.until("changed", async () => await Deno.readTextFile(`${folder}/a`) === "two");
    bench.remove("web", 0);
    await bench.until("gone", () => bench.gone.includes("uid-web"));
    await assert.rejects(Deno.stat(`${bench.dir}/state/pods/uid-web`), Deno.errors.NotFound);
  },
});

Deno.test("PodManager runs the other pods whatever is wrong with one", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  const [container] = testPod("x").spec.containers;
  const odd: readonly [string, Record<string, unknown>][] = [
    ["inits", { initContainers: null }],
    ["debug", { ephemeralContainers: null }],
    ["env-from", { containers: [{ ...container, envFrom: [null] }] }],
    ["secrets", { imagePullSecrets: [null] }],
    ["ports", { containers: [{ ...container, ports: null }] }],
    ["volumes", { volumes: [null] }],
    ["nothing", { containers: null }],
  ];
  for (const [name, spec] of odd) bench.put(testPod(name, spec as unknown as Partial<PodSpec>));
  bench.put(testPod("good"));
  await bench.until("the good one runs", () => bench.pod("good")?.status?.phase === "Running");
  await bench.restart();
  bench.put(testPod("later"));
  await bench.until("a later one runs", () => bench.pod("later")?.status?.phase === "Running");
});

Deno.test("what is not started yet waits as with a kubelet, by whether its pod has init containers", async () => {
  const host = machine();
  const connect = (): Runtime =>
    otherRuntime(host.connect(), {
      runSandbox: () => Promise.reject(new Error("no network yet")),
    });
  await using bench = await startBench({ connect });
  const reasons = (name: string): unknown[] => {
    const { initContainerStatuses = [], containerStatuses = [] } = bench.pod(name)?.status ?? {};
    return [...initContainerStatuses, ...containerStatuses].map(({ state }) =>
      state.waiting?.reason
    );
  };
  const initContainers = [{ name: "init", image: "app:1" }];
  bench.put(testPod("plain"));
  bench.put(testPod("inits", { initContainers }));
  await bench.until("both are told", () => reasons("plain").length + reasons("inits").length === 3);
  assert.deepEqual(reasons("plain"), ["ContainerCreating"]);
  assert.deepEqual(reasons("inits"), ["PodInitializing", "PodInitializing"]);
});
