import assert from "node:assert/strict";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { ManifestFolder } from "../manifests/mod.ts";
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
  const made = new ManifestFolder({
    folder,
    nodeName: TEST_NODE,
    handlers: [new StaticPods({ nodeName: TEST_NODE, clock: systemClock })],
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
    assert.equal(bench.gone.length, 2, "the mirrors of both end at the hub");
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

Deno.test("StaticPods goes on with a pod whose manifest gets another name", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  const folder = `${bench.dir}/manifests`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/a.yaml`, manifest("app:1"));
  const end = await runStatic(bench, folder);
  try {
    await bench.until("running", () => runningImage(host));
    const { uid } = bench.pod(`web-${TEST_NODE}`)?.metadata ?? {};
    await Deno.rename(`${folder}/a.yaml`, `${folder}/b.yaml`);
    const file = (): unknown =>
      bench.pod(`web-${TEST_NODE}`)?.metadata.annotations?.["skerry.dev/manifest"];
    await bench.until("its new file is known", () => file() === "b.yaml");
    // Under its new name, too, a broken manifest ends nothing.
    await Deno.writeTextFile(`${folder}/b.yaml`, "kind: [");
    await Deno.writeTextFile(`${folder}/c.yaml`, manifest("app:1").replace("web", "other"));
    await bench.until("the folder was read", () => bench.pod(`other-${TEST_NODE}`));
    const { metadata } = bench.pod(`web-${TEST_NODE}`) ?? {};
    assert.deepEqual([metadata?.uid, metadata?.deletionTimestamp], [uid, undefined]);
    // Nor may a manifest of the same name take its place until it can be read.
    await Deno.writeTextFile(`${folder}/c.yaml`, manifest("app:2"));
    await bench.until(
      "other ends",
      () =>
        bench.pod(`other-${TEST_NODE}`)?.metadata.deletionTimestamp ||
        !bench.pod(`other-${TEST_NODE}`),
    );
    assert.equal(bench.pod(`web-${TEST_NODE}`)?.metadata.uid, uid);
  } finally {
    await end();
  }
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
