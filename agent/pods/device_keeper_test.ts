import assert from "node:assert/strict";
import { DEVICE_RESOURCES_ANNOTATION, RESOURCES } from "../../core/api/mod.ts";
import { seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { DeviceKeeper } from "./device_keeper.ts";
import type { DeviceAnswer, PodDevices } from "./devices.ts";
import { testPod } from "./testing/mod.ts";

const WAITS: DeviceAnswer = { kind: "waits", message: "no plugin" };

/** Devices that answer when the test says so. */
class Devices implements PodDevices {
  readonly asked: { uid: string; answer: PromiseWithResolvers<DeviceAnswer> }[] = [];
  readonly freed: string[] = [];

  allocate(pod: { metadata: { uid?: string } }): Promise<DeviceAnswer> {
    const answer = Promise.withResolvers<DeviceAnswer>();
    this.asked.push({ uid: pod.metadata.uid ?? "", answer });
    return answer.promise;
  }

  free(uid: string): void {
    this.freed.push(uid);
  }

  prepare(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

function setUp<T extends Devices | undefined>(devices: T) {
  const clock = new VirtualClock();
  const changed: string[] = [];
  const store = openSqliteStore({ path: ":memory:", clock });
  const keeper = new DeviceKeeper({
    ...{ devices, store, clock },
    log: silentLogger,
    signal: new AbortController().signal,
    changed: (uid) => changed.push(uid),
  });
  return { clock, changed, keeper, devices, store };
}

const wanting = testPod("a", {
  containers: [{ name: "main", image: "i", resources: { limits: { "example.com/x": "1" } } }],
});

Deno.test("DeviceKeeper grants at once what asks for nothing, and says what a node without lacks", () => {
  const { keeper, devices } = setUp(new Devices());
  assert.deepEqual(keeper.view(testPod("b")), { kind: "granted" });
  assert.equal(devices.asked.length, 0);
  const none = setUp(undefined);
  assert.deepEqual(none.keeper.view(wanting), { kind: "granted" }, "advertised by hand");
  none.store.transact((tx) =>
    tx.put(RESOURCES.nodes, {
      ...{ apiVersion: "v1", kind: "Node" },
      metadata: { name: "n1", annotations: { [DEVICE_RESOURCES_ANNOTATION]: "example.com/x" } },
    })
  );
  const answer = none.keeper.view(wanting);
  assert.equal(answer !== "pending" && answer.kind, "waits");
});

Deno.test("DeviceKeeper asks once in the background and tells when there is an answer", async () => {
  const { keeper, devices, changed } = setUp(new Devices());
  assert.equal(keeper.view(wanting), "pending");
  assert.equal(keeper.view(wanting), "pending");
  assert.equal(devices.asked.length, 1);
  devices.asked[0]?.answer.resolve({ kind: "granted" });
  await keeper.settled();
  assert.deepEqual(changed, ["uid-a"]);
  assert.deepEqual(keeper.view(wanting), { kind: "granted" });
  assert.equal(devices.asked.length, 1);
});

Deno.test("DeviceKeeper asks again for a pod that waits when a plugin has come", async () => {
  const { keeper, devices, changed } = setUp(new Devices());
  keeper.view(wanting);
  devices.asked[0]?.answer.resolve(WAITS);
  await keeper.settled();
  assert.deepEqual(keeper.view(wanting), WAITS);
  keeper.again();
  assert.deepEqual(changed, ["uid-a", "uid-a"]);
  assert.equal(keeper.view(wanting), "pending");
  devices.asked[1]?.answer.resolve({ kind: "granted" });
  await keeper.settled();
  // What has its answer is left alone.
  keeper.again();
  assert.equal(devices.asked.length, 2);
});

Deno.test("DeviceKeeper gives back what was set aside for a pod that has ended", async () => {
  const { keeper, devices } = setUp(new Devices());
  keeper.view(wanting);
  keeper.drop("uid-a");
  devices.asked[0]?.answer.resolve({ kind: "granted" });
  await keeper.settled();
  assert.deepEqual(devices.freed, ["uid-a"]);
});

Deno.test("DeviceKeeper asks again after what was no answer", async () => {
  const { keeper, devices, changed, clock } = setUp(new Devices());
  keeper.view(wanting);
  devices.asked[0]?.answer.reject(new Error("the disk is full"));
  await clock.advance(seconds(1));
  await keeper.settled();
  assert.deepEqual(changed, ["uid-a"]);
  assert.equal(keeper.view(wanting), "pending");
  assert.equal(devices.asked.length, 2);
  devices.asked[1]?.answer.resolve(WAITS);
  await keeper.settled();
});
