import assert from "node:assert/strict";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { systemClock } from "../../core/base/mod.ts";
import { PodPaths } from "./paths.ts";
import { sweepPodFolders } from "./sweep.ts";
import { startBench, testPod } from "./testing/mod.ts";

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("sweepPodFolders() takes what nobody knows, and no log folder of others", async () => {
  const dir = await Deno.makeTempDir();
  const paths = new PodPaths({ stateDir: `${dir}/s`, logDir: `${dir}/l`, memoryDir: `${dir}/m` });
  assert.deepEqual(await sweepPodFolders(paths, () => false), []);
  const made = [
    ...["s/pods/known", "s/pods/gone/volumes", "m/pods/gone"],
    ...["l/default_a_known/main", "l/default_b_gone/main", "l/kube-system_c_foreign/main"],
  ];
  for (const path of made) await Deno.mkdir(`${dir}/${path}`, { recursive: true });
  assert.deepEqual(await sweepPodFolders(paths, (uid) => uid === "known"), ["gone"]);
  const left = [];
  for (const path of made) if (await exists(`${dir}/${path}`)) left.push(path);
  assert.deepEqual(left, [
    "s/pods/known",
    "l/default_a_known/main",
    "l/kube-system_c_foreign/main",
  ]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("PodManager removes folders of pods only when it is sure that they are gone", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  bench.put(testPod("web"));
  await bench.until("it runs", () => bench.pod("web")?.status?.phase === "Running");
  const own = bench.manager.paths.pod("uid-web");
  const other = bench.manager.paths.pod("uid-gone");
  const logs = bench.manager.paths.logs({ namespace: "default", name: "old", uid: "uid-gone" });
  await bench.stop();
  for (const path of [own, other, logs]) await Deno.mkdir(path, { recursive: true });
  bench.synced = false;
  await bench.start();
  bench.manager.lookAgain();
  await bench.until("it is looked at", () => bench.pod("web")?.status?.phase === "Running");
  assert.equal(await exists(other), true, "nobody knows yet what the hub wants");
  bench.synced = true;
  bench.manager.lookAgain();
  await bench.until(
    "the folders are gone",
    async () => !await exists(other) && !await exists(logs),
  );
  assert.equal(await exists(own), true);
});
