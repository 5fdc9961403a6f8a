import assert from "node:assert/strict";
import { RESOURCES } from "../../../core/api/mod.ts";
import { systemClock } from "../../../core/base/mod.ts";
import { FakeMachine } from "../../runtimes/fake/mod.ts";
import { startBench, testPod } from "../testing/mod.ts";

Deno.test("PodManager writes secrets anew after a reboot, and keeps none of pods that are gone", async () => {
  const host = new FakeMachine({ clock: systemClock });
  host.addImage("app:1");
  await using bench = await startBench({ connect: () => host.connect() });
  const put = (value: string): void => {
    bench.store.transact((tx) =>
      tx.put(RESOURCES.secrets, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s", namespace: "default", uid: "s" },
        data: { key: btoa(value) },
      })
    );
  };
  put("one");
  const memory = `${bench.dir}/memory/pods`;
  const file = `${memory}/uid-web/volumes/kubernetes.io~secret/s/key`;
  const running = (restarts: number): Promise<unknown> =>
    bench.until(`runs after ${restarts} restarts`, () => {
      const one = bench.pod("web")?.status?.containerStatuses?.[0];
      return one?.state.running && one.restartCount === restarts;
    });
  bench.put(testPod("web", {
    containers: [{
      name: "main",
      image: "app:1",
      volumeMounts: [{ name: "s", mountPath: "/s" }],
    }],
    volumes: [{ name: "s", secret: { secretName: "s" } }],
  }));
  await running(0);
  assert.equal(await Deno.readTextFile(file), "one");
  assert.equal(host.newest("uid-web", "main")?.config.mounts[0]?.hostPath, file.slice(0, -4));

  await bench.stop();
  host.reboot();
  await Deno.remove(`${bench.dir}/memory`, { recursive: true });
  await Deno.mkdir(`${memory}/uid-of-nobody/volumes`, { recursive: true });
  await bench.start();
  await running(1);
  assert.equal(await Deno.readTextFile(file), "one");
  await assert.rejects(Deno.stat(`${memory}/uid-of-nobody`), Deno.errors.NotFound);

  put("two");
  await bench.until("changed", async () => await Deno.readTextFile(file) === "two");
  bench.remove("web", 0);
  await bench.until("gone", () => bench.gone.includes("uid-web"));
  await assert.rejects(Deno.stat(`${memory}/uid-web`), Deno.errors.NotFound);
});
