import assert from "node:assert/strict";
import type { KubeObject } from "../api/mod.ts";
import { AppError, type Ms, ms, seconds, seededRandom, VirtualClock } from "../base/mod.ts";
import type { WatchEvent } from "../store/mod.ts";
import { pollDelay, PolledWatch } from "./polled_watch.ts";

const ABSENT = new AppError("NotFound", 'persistentvolumeclaims "data" not found');
const REFUSED = new AppError(
  "Forbidden",
  'persistentvolumeclaims "data" is forbidden: User "system:node:gw1" cannot get resource: no ' +
    "relationship found between node 'gw1' and this object",
);

function claim(version: number, phase = "Bound", uid = "u"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "a", uid, resourceVersion: `${version}` },
    status: { phase },
  };
}

/** A watch of what `place.now` is, and what it has told. */
class Bench {
  readonly clock = new VirtualClock();
  now: KubeObject | Error | undefined;
  /** When it was read, in seconds from the start. */
  readonly reads: number[] = [];
  readonly told: string[] = [];
  readonly events: WatchEvent[] = [];
  ended: string | undefined;
  readonly watch: PolledWatch;

  constructor(now: KubeObject | Error | undefined, known?: KubeObject) {
    this.now = now;
    this.watch = new PolledWatch({
      read: () => this.#read(),
      known,
      clock: this.clock,
      // Neither longer nor shorter.
      random: () => 0.5,
    });
    void this.#follow();
  }

  async pass(span: number): Promise<void> {
    await this.clock.advance(seconds(span));
  }

  #read(): Promise<KubeObject | undefined> {
    const { now } = this;
    if (now === undefined) return Promise.resolve(undefined);
    this.reads.push(this.clock.monotonic() / 1000);
    return now instanceof Error ? Promise.reject(now) : Promise.resolve(now);
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.watch) {
        this.events.push(event);
        this.told.push(event.type === "BOOKMARK" ? "all" : `${event.type} ${version(event)}`);
      }
      this.ended = "over";
    } catch (error) {
      this.ended = (error as Error).message;
    }
  }
}

function version({ resourceVersion }: WatchEvent): string {
  return resourceVersion;
}

Deno.test("PolledWatch tells what is there, then each change, and its end", async () => {
  const bench = new Bench(claim(1, "Pending"));
  await bench.pass(0);
  assert.deepEqual(bench.told, ["ADDED 1", "all"]);
  bench.now = claim(2);
  await bench.pass(1);
  await bench.pass(120);
  assert.deepEqual(bench.told.slice(2), ["MODIFIED 2"]);
  bench.now = claim(3, "Bound", "other");
  await bench.pass(60);
  bench.now = ABSENT;
  await bench.pass(60);
  assert.deepEqual(bench.told.slice(3), ["ADDED 3", "DELETED 3"]);
  bench.watch.abort();
  await bench.pass(0);
  assert.equal(bench.ended, "over");
  assert.equal(bench.clock.size, 0);
});

Deno.test("PolledWatch says at once that what is not there is absent", async () => {
  const bench = new Bench(ABSENT);
  await bench.pass(0);
  assert.deepEqual(bench.told, ["all"]);
  bench.now = claim(1);
  await bench.pass(1);
  assert.deepEqual(bench.told, ["all", "ADDED 1"]);
});

Deno.test("PolledWatch looks once a minute at what is settled", async () => {
  const bench = new Bench(claim(1));
  await bench.pass(600);
  assert.deepEqual(bench.reads, Array.from({ length: 11 }, (_, at) => at * 60));
});

Deno.test("PolledWatch looks soon at what is not settled, and ever later: no more than 25 times in four minutes", async () => {
  const bench = new Bench(claim(1, "Pending"));
  await bench.pass(240);
  const { reads } = bench;
  assert.deepEqual(reads.slice(0, 6), [0, 1, 2, 3, 4, 5]);
  assert.ok(reads.length > 15 && reads.length <= 25, `${reads.length}`);
  // Whatever comes is seen after at most a quarter of the time that it took.
  reads.forEach((at, i) => assert.ok(i === 0 || at - (reads[i - 1] ?? 0) <= Math.max(1, at / 4)));
  await bench.pass(3600);
  assert.ok(reads.length < 25 + 62, `${reads.length}`);
  // A change makes it look soon again.
  bench.now = claim(2, "Pending");
  await bench.pass(60);
  const before = reads.length;
  await bench.pass(60);
  assert.ok(reads.length >= before + 3, `${reads.length} after ${before}`);
});

Deno.test("PolledWatch takes a refusal for absence only when it goes on for a minute", async () => {
  const late = new Bench(REFUSED);
  await late.pass(3);
  late.now = claim(1);
  await late.pass(1);
  assert.deepEqual(late.told, ["ADDED 1", "all"]);
  const never = new Bench(REFUSED);
  await never.pass(59);
  assert.deepEqual(never.told, []);
  await never.pass(20);
  assert.deepEqual(never.told, ["all"]);
  const gone = new Bench(claim(5));
  await gone.pass(1);
  gone.now = REFUSED;
  await gone.pass(100);
  gone.now = claim(5);
  await gone.pass(60);
  gone.now = REFUSED;
  await gone.pass(300);
  assert.deepEqual(gone.told, ["ADDED 5", "all", "DELETED 0"]);
  // The same that it was: a reader must not think that it is an echo of what went.
  gone.now = claim(5);
  await gone.pass(60);
  assert.deepEqual(gone.told.slice(3), ["ADDED 5"]);
});

Deno.test("PolledWatch ends with what is no answer about the object, a missing right too", async () => {
  const missing = "cannot impersonate-on:arbitrary-node:get";
  for (const [code, text] of [["Forbidden", missing], ["ServiceUnavailable", "away"]] as const) {
    const bench = new Bench(claim(1));
    await bench.pass(1);
    bench.now = new AppError(code, text);
    await bench.pass(60);
    assert.deepEqual([bench.told, bench.ended], [["ADDED 1", "all"], text]);
  }
});

Deno.test("PolledWatch goes on from what its reader has seen", async () => {
  const same = new Bench(claim(1), claim(1));
  const other = new Bench(claim(2), claim(1));
  const gone = new Bench(ABSENT, claim(1));
  for (const bench of [same, other, gone]) await bench.pass(0);
  assert.deepEqual([same.told, other.told, gone.told], [
    ["all"],
    ["MODIFIED 2", "all"],
    ["DELETED 1", "all"],
  ]);
});

Deno.test("PolledWatch ends when the version went back: what is read anew is right as it is", async () => {
  const bench = new Bench(claim(900));
  await bench.pass(1);
  bench.now = claim(100, "Bound", "other");
  await bench.pass(120);
  assert.deepEqual(bench.told, ["ADDED 900", "all"]);
  assert.match(bench.ended ?? "", /the version went back/);
});

Deno.test("PolledWatch asks nobody while nobody wants it", async () => {
  const bench = new Bench(claim(1));
  await bench.pass(1);
  bench.now = undefined;
  await bench.pass(3600);
  assert.deepEqual(bench.told, ["ADDED 1", "all"]);
  assert.equal(bench.reads.length, 1);
  bench.now = claim(2);
  await bench.pass(60);
  assert.deepEqual(bench.told.slice(2), ["MODIFIED 2"]);
});

Deno.test("pollDelay() spreads, and asks soon of what is not attached or is being deleted", () => {
  const random = seededRandom(1);
  const state = { complete: true, changedAt: ms(0) };
  const delay = (known: KubeObject, now: Ms): number =>
    pollDelay({ ...state, known }, now, random) / 1000;
  const attachment = (attached: boolean): KubeObject => ({
    ...claim(1),
    kind: "VolumeAttachment",
    status: { attached },
  });
  const deleted = { ...claim(1), metadata: { name: "data", deletionTimestamp: "now" } };
  const waits: number[] = [];
  for (let i = 0; i < 100; i++) {
    for (const settled of [claim(1), attachment(true)]) {
      const wait = delay(settled, seconds(8));
      assert.ok(wait >= 45 && wait <= 75, `${wait}`);
      waits.push(wait);
    }
    for (const open of [claim(1, "Pending"), attachment(false), deleted]) {
      const wait = delay(open, seconds(8));
      assert.ok(wait >= 1.5 && wait <= 2.5, `${wait}`);
    }
  }
  // Over the whole of that span.
  assert.ok(Math.min(...waits) < 48 && Math.max(...waits) > 72, `${waits}`);
});
