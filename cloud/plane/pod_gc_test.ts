import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import { hours, seconds, seededRandom, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { Actor, Views } from "../../core/control/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { until } from "../until_test_helper.ts";
import { createRecorder, sweepEvents } from "./events.ts";
import { createPodGarbageCollector } from "./pod_gc.ts";

function start() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const parts = { store, clock, random: seededRandom(1), log: silentLogger };
  const views = new Views(parts);
  const context = { ...parts, views, actor: new Actor(store, views) };
  const controller = createPodGarbageCollector(context);
  const stop = new AbortController();
  const running = [views.service("views"), controller].map((service) =>
    service.run(stop.signal, () => {})
  );
  return {
    ...parts,
    addPod: (name: string, node: string, more: object = {}) =>
      store.create(RESOURCES.pods, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default", ...more },
        spec: { containers: [], ...(node === "" ? {} : { nodeName: node }) },
      }),
    addNode: (name: string) =>
      store.create(RESOURCES.nodes, { apiVersion: "v1", kind: "Node", metadata: { name } }),
    names: async () =>
      (await store.list(RESOURCES.pods)).items.map(({ metadata }) => metadata.name).join(),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all(running);
      store[Symbol.dispose]();
    },
  };
}

Deno.test("pods of a deleted node go after 40 s, those of others and of a node that is back stay", async () => {
  await using plane = start();
  for (const name of ["gone", "back", "there"]) {
    await plane.addNode(name);
    await plane.addPod(`on-${name}`, name);
  }
  for (const name of ["gone", "back"]) {
    await plane.store.delete({ resource: RESOURCES.nodes, name });
  }
  await plane.clock.advance(seconds(30));
  assert.equal(await plane.names(), "on-back,on-gone,on-there");
  await plane.addNode("back");
  await plane.clock.advance(seconds(11));
  await until(async () => await plane.names() === "on-back,on-there");
  await plane.clock.advance(seconds(120));
  assert.equal(await plane.names(), "on-back,on-there");
});

Deno.test("events about one thing are counted up in one object, and swept an hour after the last", async () => {
  await using plane = start();
  const recorder = createRecorder({ ...plane, component: "test" });
  const pod = await plane.addPod("p", "n");
  for (let i = 0; i < 3; i++) {
    await recorder.record(pod, { type: "Warning", reason: "Odd", message: "is odd" });
  }
  await recorder.record(pod, { type: "Warning", reason: "Odd", message: "is very odd" });
  const events = (await plane.store.list(RESOURCES.events)).items;
  assert.deepEqual(events.map((event) => event["count"]).sort(), [1, 3]);
  assert.equal(events[0]?.["involvedObject"].uid, pod.metadata.uid);
  await plane.clock.advance(seconds(3599));
  assert.equal(await sweepEvents(plane), 0);
  await recorder.record(pod, { type: "Warning", reason: "Odd", message: "is odd" });
  await plane.clock.advance(seconds(2));
  assert.equal(await sweepEvents(plane), 1);
  await plane.clock.advance(hours(1));
  assert.equal(await sweepEvents(plane), 1);
});

Deno.test("an event from a clock that is ahead is swept an hour after it was made", async () => {
  await using plane = start();
  const event = (name: string, more: object) =>
    plane.store.create(RESOURCES.events, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default" },
      involvedObject: {},
      ...more,
    });
  await event("ahead", { lastTimestamp: "9999-01-01T00:00:00Z" });
  await event("ahead-too", { eventTime: "9999-01-01T00:00:00.000000Z" });
  await event("behind", { lastTimestamp: "1900-01-01T00:00:00Z" });
  await plane.clock.advance(seconds(3599));
  assert.equal(await sweepEvents(plane), 0, "nor is one from a clock that is behind swept early");
  await plane.clock.advance(seconds(2));
  assert.equal(await sweepEvents(plane), 3);
});
