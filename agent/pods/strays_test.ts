import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { AppError, ms, sleep, systemClock } from "../../core/base/mod.ts";
import { allowPrune, completeReplica, mayEndStrays } from "../../core/sync/mod.ts";
import { SOURCE_ANNOTATION } from "../manifests/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { LABEL, type Runtime } from "../runtimes/mod.ts";
import { GONE_SPACE, MEMORY_SPACE } from "./options.ts";
import {
  type BenchOptions,
  everywhere,
  otherRuntime,
  type PodBench,
  startBench,
  testPod,
} from "./testing/mod.ts";

function machine(): FakeMachine {
  const made = new FakeMachine({ clock: systemClock });
  made.addImage("app:1");
  return made;
}

/** A machine on which pods run, and an agent that has lost its state and does not run. */
async function lost(
  host: FakeMachine,
  pods: readonly Pod[],
  options: Partial<BenchOptions> = {},
): Promise<PodBench> {
  const bench = await startBench({ connect: () => host.connect(), ...options });
  for (const pod of pods) bench.put(pod);
  for (const { metadata: { uid = "" } } of pods) {
    await bench.until(`${uid} runs`, () => runs(host, uid));
  }
  await bench.until("all is told", () => pods.every((pod) => phase(bench, pod) === "Running"));
  await bench.lose();
  return bench;
}

const phase = (bench: PodBench, { metadata: { name } }: Pod) => bench.pod(name)?.status?.phase;
const runs = (host: FakeMachine, uid: string): boolean =>
  host.newest(uid, "main")?.state === "running";
const uids = (bench: PodBench): string[] => bench.manager.strays().map(({ uid }) => uid).sort();

/** What a person's join and the complete snapshot after it write. */
function joinAnew(bench: PodBench): void {
  bench.store.transact(allowPrune);
  bench.store.transact(completeReplica);
}

/** The manager has looked at everything, and has done what it would. */
async function quiet(bench: PodBench): Promise<void> {
  bench.manager.lookAgain();
  bench.put(testPod("probe", {}, crypto.randomUUID()));
  await bench.until("the probe runs", () => bench.pod("probe")?.status?.phase === "Running");
  bench.remove("probe", 0);
  await bench.until("the probe is gone", () => !bench.pod("probe"));
}

function fromManifest(uid: string): Pod {
  const pod = testPod("web", {}, uid);
  return { ...pod, metadata: { ...pod.metadata, annotations: { [SOURCE_ANNOTATION]: "file" } } };
}

for (const synced of [true, false]) {
  const how = synced ? "a hub that has synced" : "no hub";
  Deno.test(`a lost state ends no pod with ${how}, and the pods that run on are named`, async () => {
    const host = machine();
    await using bench = await lost(host, ["a", "b"].map((name) => testPod(name)));
    bench.synced = synced;
    await bench.start();
    await quiet(bench);
    assert.deepEqual(["uid-a", "uid-b"].map((uid) => runs(host, uid)), [true, true]);
    assert.deepEqual(uids(bench), ["uid-a", "uid-b"]);
    // Somebody ends one by hand; the other comes to be known.
    for (const { id } of host.sandboxes.values()) {
      if (host.sandboxes.get(id)?.config.podUid !== "uid-a") continue;
      await host.connect().removeSandbox(id, new AbortController().signal);
    }
    const kept = host.newest("uid-b", "main")?.id;
    bench.put(testPod("b"));
    await bench.until("none is left", () => uids(bench).length === 0);
    await quiet(bench);
    assert.equal(host.newest("uid-b", "main")?.id, kept);
  });
}

Deno.test("strays are told when they are found, once, and when they come to be known", async () => {
  const host = machine();
  const told: boolean[] = [];
  const onStrays = (fresh: boolean): void => void told.push(fresh);
  await using bench = await lost(host, ["a", "b"].map((name) => testPod(name)), { onStrays });
  await bench.start();
  await quiet(bench);
  await quiet(bench);
  assert.deepEqual(told, [true]);
  for (const name of ["a", "b"]) bench.put(testPod(name));
  await bench.until("both are known", () => uids(bench).length === 0);
  await quiet(bench);
  assert.deepEqual(told, [true, false, false]);
});

/** A runtime that takes its time to say all that runs. */
function slowly(host: FakeMachine): Runtime {
  const inner = host.connect();
  const observe: Runtime["observe"] = async (signal, podUid) => {
    const seen = await inner.observe(signal, podUid);
    if (podUid === undefined) await sleep(systemClock, ms(300));
    return seen;
  };
  return otherRuntime(inner, { observe });
}

for (const when of ["before the agent starts", "later"]) {
  Deno.test(`a pod that comes ${when} under a stray's name ends it, and waits for that`, async () => {
    const host = machine();
    host.script("app:1", { termDelay: ms(100) });
    await using bench = await lost(host, ["web", "other"].map((name) => testPod(name)), {
      connect: () => slowly(host),
    });
    if (when === "later") await bench.start();
    bench.put(testPod("web", {}, "new"));
    if (when !== "later") await bench.start();
    await bench.until("new runs alone", () => {
      const [old, next] = ["uid-web", "new"].map((uid) => host.newest(uid, "main"));
      assert.ok(!next || !old || old.state === "exited", "both at once");
      return next?.state === "running" && !old;
    });
    assert.ok(runs(host, "uid-other"), "its name is nobody else's");
    assert.deepEqual(uids(bench), ["uid-other"]);
  });
}

Deno.test("a stray's successor waits also when the agent starts again meanwhile", async () => {
  const host = machine();
  await using bench = await lost(host, [testPod("web")]);
  bench.synced = false;
  bench.put(testPod("web", {}, "new"));
  for (let times = 0; times < 3; times++) {
    await bench.restart();
    await quiet(bench);
    assert.deepEqual([runs(host, "uid-web"), host.newest("new", "main")], [true, undefined]);
  }
  bench.synced = true;
  bench.manager.lookAgain();
  await bench.until("new runs alone", () => runs(host, "new") && !host.newest("uid-web", "main"));
});

Deno.test("after a new join the strays end that the hub has no more, and no others", async () => {
  const host = machine();
  const pods = ["a", "b", "c", "d"].map((name) => testPod(name));
  let asked = 0;
  const boundPods = (): Promise<string[]> => {
    if (asked++ === 0) return Promise.reject(new AppError("ServiceUnavailable", "no link"));
    // It comes while the hub is being asked, and the answer is of before.
    bench.put(testPod("d"));
    return Promise.resolve(["uid-b"]);
  };
  await using bench = await lost(host, pods, { boundPods });
  bench.put(testPod("c"));
  bench.synced = false;
  joinAnew(bench);
  await bench.start();
  await quiet(bench);
  assert.equal(asked, 0, "nobody is asked before the link has synced");
  assert.ok(runs(host, "uid-a"));
  bench.synced = true;
  bench.manager.lookAgain();
  await bench.until("it was asked in vain", () => asked === 1);
  await quiet(bench);
  bench.manager.lookAgain();
  await bench.until("a is gone", () => !host.newest("uid-a", "main"));
  await quiet(bench);
  assert.deepEqual(["uid-b", "uid-c", "uid-d"].map((uid) => runs(host, uid)), [true, true, true]);
  assert.equal(bench.store.transact(mayEndStrays), false);
  assert.deepEqual(uids(bench), ["uid-b"], "the hub has it: it is to come");
  const rows = bench.store.transact((tx) => [...tx.rows(GONE_SPACE), ...tx.rows(MEMORY_SPACE)]);
  assert.deepEqual(rows.map(({ key }) => key).sort(), ["uid-c", "uid-d"]);
});

Deno.test("without a new join nobody is asked, and a join is good for one answer", async () => {
  const host = machine();
  let asked = 0;
  const boundPods = (): Promise<string[]> => Promise.resolve(asked++ ? [] : ["uid-a"]);
  await using bench = await lost(host, [testPod("a")], { boundPods });
  await bench.start();
  await quiet(bench);
  assert.equal(asked, 0);
  joinAnew(bench);
  bench.manager.lookAgain();
  await bench.until("asked", () => asked === 1);
  await bench.restart();
  await quiet(bench);
  assert.deepEqual([asked, runs(host, "uid-a")], [1, true]);
});

Deno.test("the strays end when the runtime comes back, whenever the snapshot came", async () => {
  const host = machine();
  await using bench = await lost(host, [testPod("a")], { boundPods: () => Promise.resolve([]) });
  host.goDown();
  await bench.start();
  joinAnew(bench);
  bench.manager.lookAgain();
  assert.ok(bench.store.transact(mayEndStrays));
  host.comeBack();
  await bench.until("a is gone", () => host.sandboxes.size === 0);
});

Deno.test("strays end once and for all, and no others, wherever the agent is killed", async () => {
  const calls = { observe: 4, stopContainer: 2, stopSandbox: 2, removeSandbox: 2 };
  const options = { boundPods: () => Promise.resolve(["uid-c", "uid-d"]) };
  await everywhere(calls, machine, async ({ host, bench, where, arm }) => {
    const pods = ["a", "b", "c", "d"].map((name) => testPod(name));
    for (const pod of pods) bench.put(pod);
    await bench.until("all run", () => pods.every((pod) => phase(bench, pod) === "Running"));
    const kept = ["uid-c", "uid-d"].map((uid) => host.newest(uid, "main")?.id);
    await bench.lose();
    bench.put(testPod("c"));
    joinAnew(bench);
    await bench.start();
    await arm();
    await bench.until(`a and b are gone after ${where}`, () => {
      const rows = bench.store.transact((tx) => tx.rows(GONE_SPACE));
      return host.sandboxes.size === 2 && rows.length === 0;
    });
    // What was written of d came late: it is the one that ran.
    bench.put(testPod("d"));
    await bench.until("d is told", () => bench.pod("d")?.status?.phase === "Running");
    assert.deepEqual(["uid-c", "uid-d"].map((uid) => host.newest(uid, "main")?.id), kept);
    assert.equal(bench.store.transact(mayEndStrays), false);
  }, options);
});

Deno.test("an agent that is killed while it asks the hub asks again", async () => {
  const host = machine();
  let asked = 0;
  const boundPods = (signal: AbortSignal): Promise<string[]> =>
    asked++ ? Promise.resolve([]) : new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  await using bench = await lost(host, [testPod("a")], { boundPods });
  joinAnew(bench);
  await bench.start();
  await bench.until("it asks", () => asked === 1);
  await bench.restart();
  await bench.until("a is gone", () => host.sandboxes.size === 0);
  assert.equal(asked, 2);
});

Deno.test("the hub is not asked about pods of manifests, nor ends them; a new manifest does", async () => {
  const host = machine();
  const boundPods = (): Promise<string[]> => Promise.reject(new Error("asked"));
  await using bench = await lost(host, [fromManifest("old")], { boundPods });
  joinAnew(bench);
  await bench.start();
  await bench.until("nothing is open", () => !bench.store.transact(mayEndStrays));
  await quiet(bench);
  assert.ok(runs(host, "old"));
  assert.deepEqual(uids(bench), ["old"]);
  bench.synced = false;
  bench.put(fromManifest("new"));
  await bench.until("new runs alone", () => runs(host, "new") && !host.newest("old", "main"));
});

Deno.test("a changed manifest ends the old pod without a hub, also after the agent's start", async () => {
  const host = machine();
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(fromManifest("old"));
  await bench.until("old runs", () => runs(host, "old"));
  bench.synced = false;
  await bench.restart();
  bench.put(fromManifest("new"));
  await bench.until("new runs alone", () => runs(host, "new") && !host.newest("old", "main"));
});

Deno.test("a manifest that takes the name of a stray of the hub ends nothing", async () => {
  const host = machine();
  await using bench = await lost(host, [testPod("web")]);
  await bench.start();
  bench.put(fromManifest("new"));
  await quiet(bench);
  assert.deepEqual([runs(host, "uid-web"), host.newest("new", "main")], [true, undefined]);
  assert.deepEqual(uids(bench), ["uid-web"]);
});

Deno.test("pods of another agent on this machine are nobody's here", async () => {
  const host = machine();
  await using bench = await lost(host, [testPod("a")], { boundPods: () => Promise.resolve([]) });
  for (const { config: { labels } } of host.sandboxes.values()) {
    Object.assign(labels, { [LABEL.node]: "n2" });
  }
  for (const { config: { labels } } of host.containers.values()) {
    Object.assign(labels, { [LABEL.node]: "n2" });
  }
  joinAnew(bench);
  await bench.start();
  await quiet(bench);
  assert.deepEqual([runs(host, "uid-a"), uids(bench)], [true, []]);
});
