import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  AppError,
  bytes,
  minutes,
  ms,
  seconds,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import type { NodeEvent } from "../node/mod.ts";
import type { ImageInfo, Observation } from "../runtimes/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { Collector } from "./collector.ts";
import { planContainerGc } from "./container_plan.ts";
import { chooseImages, noteImages } from "./image_plan.ts";

const never = new AbortController().signal;

function image(name: string, size = 10, more: Partial<ImageInfo> = {}): ImageInfo {
  return {
    id: `id-${name}`,
    tags: [`${name}:1`],
    digests: [`${name}@x`],
    size: bytes(size),
    ...more,
  };
}

const ALL = [
  image("old"),
  image("used"),
  image("lately"),
  image("new"),
  image("pause", 10, { pinned: true }),
];

Deno.test("chooseImages() removes the longest unused first, none in use, pinned or new", () => {
  let records = noteImages(
    new Map(),
    ALL.filter(({ id }) => id !== "id-new"),
    new Set(["lately:1"]),
    ms(0),
  );
  records = noteImages(records, ALL, new Set(["used@x"]), minutes(5));
  const choose = (wanted: number): string[] =>
    chooseImages({ images: ALL, records, inUse: new Set(["used@x"]), wanted, now: minutes(6) })
      .remove.map(({ tags }) => tags[0] ?? "");
  deepStrictEqual(choose(Infinity), ["old:1", "lately:1"]);
  deepStrictEqual(choose(11), ["old:1", "lately:1"]);
  deepStrictEqual(choose(10), ["old:1"]);
  deepStrictEqual(choose(0), []);
});

Deno.test("noteImages() forgets images that are gone, and remembers the last use", () => {
  const first = noteImages(new Map(), ALL, new Set(["id-used"]), seconds(1));
  const second = noteImages(first, [image("used"), image("old")], new Set(), seconds(2));
  deepStrictEqual([...second], [
    ["id-used", { firstSeen: 1000, lastUsed: 1000 }],
    ["id-old", { firstSeen: 1000 }],
  ]);
});

/** A node where every pod has one sandbox and one container, both dead unless said otherwise. */
function nodeOf(
  pods: Record<string, { end?: number; ready?: boolean; running?: boolean }>,
): Observation {
  const common = { labels: {}, annotations: {}, createdAt: ms(0), attempt: 0 };
  return {
    sandboxes: Object.entries(pods).map(([uid, { ready = false }]) => ({
      ...common,
      id: `s-${uid}`,
      podUid: uid,
      podName: uid,
      podNamespace: "default",
      ready,
      ips: [],
    })),
    containers: Object.entries(pods).map(([uid, { end = 0, running = false }]) => ({
      ...common,
      id: `c-${uid}`,
      sandboxId: `s-${uid}`,
      podUid: uid,
      name: "main",
      state: running ? "running" : "exited",
      finishedAt: ms(end),
      image: "",
      imageRef: "",
      logPath: "",
    })),
  };
}

Deno.test("planContainerGc() takes what is dead of ended pods, the longest ended beyond the cap", () => {
  const few = nodeOf({
    a: { end: 1 },
    b: { end: 2 },
    live: { running: true },
    up: { ready: true },
  });
  const ended = new Set(["a", "b", "up"]);
  deepStrictEqual(planContainerGc(few, ended, { all: false }), []);
  deepStrictEqual(planContainerGc(few, ended, { all: true }), ["s-b", "s-a"]);
  const names = Array.from({ length: 103 }, (_, i) => `p${i}`);
  const many = nodeOf(Object.fromEntries(names.map((name, end) => [name, { end }])));
  deepStrictEqual(planContainerGc(many, new Set(names), { all: false }), ["s-p2", "s-p1", "s-p0"]);
});

/** A machine with three images of 10, on a disk of 100. */
function bed() {
  const clock = new VirtualClock();
  const machine = new FakeMachine({ clock });
  for (const name of ["a", "b", "c"]) machine.addImage(`${name}:1`, { size: bytes(10) });
  machine.addImage("pause:1", { size: bytes(10) });
  machine.details = { sandboxImage: "pause:1" };
  const world = { taken: 0, wanted: new Set<string>(), ended: new Set<string>() };
  const events: NodeEvent[] = [];
  const collector = new Collector({
    runtime: machine.connect(),
    clock,
    log: silentLogger,
    disk: () => {
      const images = [...machine.images.values()].reduce((sum, { size }) => sum + size, 0);
      const available = bytes(100 - world.taken - images);
      return Promise.resolve({ size: bytes(100), available, inodes: 0, inodesFree: 0 });
    },
    wanted: () => world.wanted,
    ended: () => world.ended,
    event: (event) => events.push(event),
  });
  const names = (): string => [...machine.images.keys()].join(" ");
  return { clock, machine, world, events, collector, names };
}

Deno.test("Collector removes images from 85 % of the disk on until it is 80 %", async () => {
  const { clock, world, events, collector, names } = bed();
  world.taken = 44;
  world.wanted = new Set(["a:1"]);
  await collector.collect(never);
  await clock.advance(minutes(3));
  await collector.collect(never);
  strictEqual(names(), "a:1 b:1 c:1 pause:1");
  world.taken = 46;
  await collector.collect(never);
  strictEqual(names(), "a:1 c:1 pause:1");
  deepStrictEqual(collector.images.map(({ tags }) => tags[0]), ["a:1", "c:1", "pause:1"]);
  deepStrictEqual(events, []);
});

Deno.test("Collector says what it could not free, and once more when that goes on", async () => {
  const { clock, world, events, collector, names } = bed();
  await collector.collect(never);
  await clock.advance(minutes(3));
  world.taken = 59;
  world.wanted = new Set(["a:1", "b:1"]);
  await collector.collect(never);
  strictEqual(names(), "a:1 b:1 pause:1");
  const message =
    "Failed to garbage collect required amount of images. Attempted to free 19 bytes," +
    " but only found 10 bytes eligible to free.";
  deepStrictEqual(events, [{ type: "Warning", reason: "FreeDiskSpaceFailed", message }]);
  await collector.collect(never);
  deepStrictEqual(events.slice(1).map(({ reason }) => reason), [
    "FreeDiskSpaceFailed",
    "ImageGCFailed",
  ]);
  world.taken = 0;
  await collector.collect(never);
  world.taken = 69;
  await collector.collect(never);
  deepStrictEqual(events.slice(3).map(({ reason }) => reason), ["FreeDiskSpaceFailed"]);
});

Deno.test("Collector.reclaim() removes all that is unused, the sandbox image never", async () => {
  const { clock, world, collector, names } = bed();
  await collector.collect(never);
  await collector.reclaim(never);
  strictEqual(names(), "a:1 b:1 c:1 pause:1", "all are new");
  await clock.advance(minutes(2));
  world.wanted = new Set(["b:1"]);
  await collector.reclaim(never);
  strictEqual(names(), "b:1 pause:1");
});

Deno.test("Collector looks each minute, collects each fifth, and outlives a runtime that is away", async () => {
  const { clock, machine, world, collector, names } = bed();
  const stop = new AbortController();
  const running = collector.run(stop.signal, () => {});
  await clock.advance(seconds(1));
  strictEqual(collector.images.length, 4);
  machine.goDown();
  await clock.advance(minutes(2));
  machine.comeBack();
  world.taken = 60;
  await clock.advance(minutes(1));
  strictEqual(names(), "a:1 b:1 c:1 pause:1");
  await clock.advance(minutes(2));
  strictEqual(names(), "c:1 pause:1");
  stop.abort(new AppError("ServiceUnavailable", "stopping"));
  await running;
  strictEqual(clock.size, 0);
});
