import assert from "node:assert/strict";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { StaticPods } from "./static_pods.ts";
import { type PodBench, startBench, TEST_NODE, testPod } from "./testing/mod.ts";

function manifest(image: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "${image}", imagePullPolicy: IfNotPresent }]
`;
}

async function runStatic(bench: PodBench, folder: string): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const { store } = bench;
  const made = new StaticPods({
    folder,
    nodeName: TEST_NODE,
    store,
    clock: systemClock,
    log: silentLogger,
  });
  const ready = Promise.withResolvers<void>();
  const ended = made.run(stop.signal, ready.resolve);
  await ready.promise;
  return async () => {
    stop.abort();
    await ended;
  };
}

function runningImage(host: FakeMachine): string | undefined {
  const live = [...host.containers.values()].filter((one) => one.state === "running");
  assert.ok(live.length <= 1, "two at once");
  return live[0]?.config.imageName;
}

Deno.test("StaticPods follows manifests that come, change, break and go", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  host.addImage("app:2");
  await using bench = await startBench({ connect: () => host.connect() });
  const folder = `${bench.dir}/manifests`;
  await Deno.mkdir(folder);
  const end = await runStatic(bench, folder);
  try {
    await Deno.writeTextFile(`${folder}/web.yaml`, manifest("app:1"));
    await bench.until("first", () => runningImage(host) === "app:1");
    const first = bench.pod(`web-${TEST_NODE}`)?.metadata.uid;
    assert.match(first ?? "", /^[0-9a-f]{32}$/);

    await Deno.writeTextFile(`${folder}/web.yaml`, "kind: Pod\nmetadata: {name: [}");
    await Deno.writeTextFile(`${folder}/other.yaml`, manifest("app:1").replace("web", "other2"));
    await bench.until("other", () => bench.pod(`other2-${TEST_NODE}`));
    assert.equal(bench.pod(`web-${TEST_NODE}`)?.metadata.deletionTimestamp, undefined);
    await Deno.remove(`${folder}/other.yaml`);
    await bench.until("other is gone", () => !bench.pod(`other2-${TEST_NODE}`));

    await Deno.writeTextFile(`${folder}/web.yaml`, manifest("app:2"));
    await bench.until("second", () => runningImage(host) === "app:2");
    assert.notEqual(bench.pod(`web-${TEST_NODE}`)?.metadata.uid, first);
    await bench.until("first is gone", () => host.sandboxes.size === 1);

    await Deno.remove(`${folder}/web.yaml`);
    await bench.until("gone", () => !bench.pod(`web-${TEST_NODE}`));
    assert.equal(host.sandboxes.size, 0);
    assert.deepEqual(bench.gone, [], "the hub has no say in static pods");
  } finally {
    await end();
  }
});

Deno.test("StaticPods ends nothing when its folder cannot be read", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  const folder = `${bench.dir}/manifests`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(
    `${folder}/web.json`,
    JSON.stringify({
      kind: "Pod",
      metadata: { name: "web" },
      spec: { containers: [{ name: "main", image: "app:1", imagePullPolicy: "IfNotPresent" }] },
    }),
  );
  const end = await runStatic(bench, folder);
  await bench.until("running", () => runningImage(host));
  await end();
  await Deno.rename(folder, `${folder}-away`);
  const again = await runStatic(bench, folder);
  await again();
  const pods = bench.store.transact((tx) => tx.list(RESOURCES.pods)) as Pod[];
  assert.deepEqual(pods.map((one) => one.metadata.deletionTimestamp), [undefined]);
});

Deno.test("StaticPods leaves a pod of the hub that has the name", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod(`web-${TEST_NODE}`));
  const folder = `${bench.dir}/manifests`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/web.yaml`, manifest("app:1"));
  const end = await runStatic(bench, folder);
  assert.equal(bench.pod(`web-${TEST_NODE}`)?.metadata.uid, `uid-web-${TEST_NODE}`);
  await end();
});
