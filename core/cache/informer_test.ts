import assert from "node:assert/strict";
import {
  AppError,
  createLogger,
  markTold,
  seconds,
  seededRandom,
  VirtualClock,
} from "../base/mod.ts";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore, type Store, type Watch } from "../store/mod.ts";
import { classify } from "./classify.ts";
import { Informer } from "./informer.ts";

const { configmaps } = RESOURCES;

function configMap(name: string, value = "", team = "x"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "a", labels: { team } },
    data: { value },
  };
}

const refTo = (name: string) => ({ resource: configmaps, namespace: "a", name });

/** An informer over a real store, through a door that tests can close or break. */
class Rig implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly store: SqliteStore;
  readonly informer: Informer;
  readonly told: string[] = [];
  readonly watches: Watch[] = [];
  readonly lines: Record<string, unknown>[] = [];
  /** Thrown by the next calls of `watch`. */
  readonly failures: unknown[] = [];
  readonly stop = new AbortController();
  /** What the watch that is cut ends with. */
  cause: unknown;
  running: Promise<void> = Promise.resolve();

  constructor(keepEvents = 10_000, gone?: () => Promise<boolean>) {
    const { clock } = this;
    this.store = openSqliteStore({ path: ":memory:", clock, keepEvents, keepFor: seconds(0) });
    const door: Store = Object.create(this.store, {
      watch: {
        value: async (...args: Parameters<Store["watch"]>) => {
          const failure = this.failures.shift();
          if (failure) throw failure;
          const watch = await this.store.watch(...args);
          this.watches.push(watch);
          return this.breaking(watch);
        },
      },
    });
    this.informer = new Informer({
      store: door,
      resource: configmaps,
      clock,
      random: seededRandom(1),
      ...(gone ? { gone } : {}),
      log: createLogger({ clock, write: (line) => void this.lines.push(JSON.parse(line)) }),
    });
    this.informer.handle({
      added: (object) => this.told.push(`+${object.metadata.name} ${object.data.value}`),
      updated: (object, old) =>
        this.told.push(`~${object.metadata.name} ${old.data.value}>${object.data.value}`),
      deleted: (object) => this.told.push(`-${object.metadata.name} ${object.data.value}`),
    });
  }

  start(): Promise<void> {
    this.running = this.informer.run(this.stop.signal);
    this.running.catch(() => {});
    return this.informer.synced;
  }

  /** The messages that people read. */
  get said(): unknown[] {
    return this.lines.map(({ msg }) => msg);
  }

  /** Cuts the running watch, as a lost connection does; without an error it just ends. */
  cut(error?: unknown): void {
    this.cause = error;
    this.watches.at(-1)?.abort();
  }

  /** `watch`, which throws what it is cut with. */
  breaking(watch: Watch): Watch {
    const end = (): unknown => this.cause;
    return {
      abort: () => watch.abort(),
      [Symbol.dispose]: () => watch.abort(),
      async *[Symbol.asyncIterator]() {
        yield* watch;
        const cause = end();
        if (cause !== undefined) throw cause;
      },
    };
  }

  /** Lets everything run that needs no more than `span` of time. */
  async settle(span = 0): Promise<void> {
    await this.clock.advance(seconds(span));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.running.catch(() => {});
    this.store[Symbol.dispose]();
  }
}

Deno.test("Informer shows what exists, then follows every change", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  assert.deepEqual(rig.told, ["+one 1"]);
  assert.equal(rig.informer.view.get("a/one")?.data.value, "1");
  await rig.store.create(configmaps, configMap("two", "2"));
  await rig.store.update(refTo("one"), (current) => ({ ...current, data: { value: "3" } }));
  await rig.store.delete(refTo("two"));
  await rig.settle();
  assert.deepEqual(rig.told, ["+one 1", "+two 2", "~one 1>3", "-two 2"]);
  assert.deepEqual(rig.informer.view.list().map(({ metadata }) => metadata.name), ["one"]);
  assert.equal(rig.informer.resourceVersion, String(rig.store.versions.newest));
});

Deno.test("Informer resumes a cut watch without telling anything twice", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  rig.cut();
  await rig.store.create(configmaps, configMap("two", "2"));
  await rig.settle(1);
  assert.deepEqual(rig.told, ["+one 1", "+two 2"]);
  assert.equal(rig.watches.length, 2);
});

Deno.test("Informer replaces its view at once when its version has expired", async () => {
  await using rig = new Rig(1);
  for (const name of ["gone", "kept", "same"]) {
    await rig.store.create(configmaps, configMap(name, "1"));
  }
  await rig.store.create(configmaps, configMap("again", "1"));
  await rig.start();
  rig.told.length = 0;
  rig.failures.push(new AppError("ServiceUnavailable", "away"));
  rig.cut();
  rig.store.transact((tx) => {
    tx.delete(refTo("gone"));
    tx.update(refTo("kept"), (current) => ({ ...current, data: { value: "2" } }));
    tx.delete(refTo("again"));
    tx.create(configmaps, configMap("again", "2"));
    tx.create(configmaps, configMap("new", "1"));
  });
  for (let i = 0; i < 600; i++) {
    await rig.store.create(RESOURCES.secrets, { ...configMap(`s${i}`), kind: "Secret" });
  }
  assert.ok(rig.store.versions.oldest > Number(rig.informer.resourceVersion));
  await rig.settle(60);
  assert.deepEqual(rig.told.sort(), ["+again 2", "+new 1", "-again 1", "-gone 1", "~kept 1>2"]);
  assert.equal(rig.informer.view.size, 4);
});

Deno.test("Informer keeps its view and tries again with back-off while the store is away", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  for (let i = 0; i < 5; i++) rig.failures.push(new Error("no route"));
  rig.cut();
  await rig.settle();
  assert.equal(rig.informer.view.size, 1);
  assert.ok(rig.failures.length > 0, "it waits between tries");
  await rig.settle(60);
  assert.equal(rig.failures.length, 0);
  await rig.store.create(configmaps, configMap("two", "2"));
  await rig.settle();
  assert.deepEqual(rig.told, ["+one 1", "+two 2"]);
});

Deno.test("Informer reads anew at once when its version expired while the store was away", async () => {
  await using rig = new Rig();
  await rig.start();
  for (let i = 0; i < 12; i++) rig.failures.push(new AppError("ServiceUnavailable", "away"));
  rig.failures.push(new AppError("Expired", "too old"));
  rig.cut();
  while (rig.failures.length > 0) await rig.settle(1);
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.settle();
  assert.deepEqual(rig.told, ["+one 1"]);
});

Deno.test("Informer waits when its version expires again and again", async () => {
  await using rig = new Rig();
  await rig.start();
  for (let i = 0; i < 50; i++) rig.failures.push(new AppError("Expired", "too old"));
  rig.cut();
  await rig.settle();
  assert.ok(rig.failures.length > 45, `${50 - rig.failures.length} tries without any time passing`);
});

Deno.test("Informer waits between watches that end as soon as they have begun", async () => {
  await using rig = new Rig();
  await rig.start();
  rig.informer.handle({ added: () => rig.cut() });
  for (let i = 0; i < 20; i++) {
    await rig.store.create(configmaps, configMap(`c${i}`));
    await rig.settle();
  }
  assert.ok(rig.watches.length < 5, `${rig.watches.length} watches without any time passing`);
  await rig.settle(600);
  assert.equal(rig.informer.view.size, 20);
});

Deno.test("Informer.index() finds objects by value while they change", async () => {
  await using rig = new Rig();
  const byTeam = rig.informer.index(({ metadata }) => [metadata.labels?.["team"] ?? ""]);
  await rig.store.create(configmaps, configMap("one", "1", "x"));
  await rig.store.create(configmaps, configMap("two", "1", "y"));
  await rig.start();
  const names = (team: string) => byTeam.get(team).map(({ metadata }) => metadata.name);
  assert.deepEqual([names("x"), names("y"), names("z")], [["one"], ["two"], []]);
  await rig.store.update(refTo("one"), (current) => {
    current.metadata.labels = { team: "y" };
    return current;
  });
  await rig.store.delete(refTo("two"));
  await rig.settle();
  assert.deepEqual([names("x"), names("y")], [[], ["one"]]);
  assert.deepEqual(byTeam.values(), ["y"]);
  const late = rig.informer.index(({ data }) => [data.value]);
  assert.equal(late.get("1").length, 1);
});

Deno.test("Informer.handle() tells a late handler what is known, and nothing once disposed", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one"));
  await rig.start();
  const late: string[] = [];
  const handle = rig.informer.handle({ added: ({ metadata }) => late.push(metadata.name) });
  assert.deepEqual(late, ["one"]);
  handle[Symbol.dispose]();
  await rig.store.create(configmaps, configMap("two"));
  await rig.settle();
  assert.deepEqual(late, ["one"]);
});

Deno.test("Informer.beginAnew() reads all again, whatever the running watch still tells", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  const again = Promise.withResolvers<void>();
  rig.informer.handle({ deleted: () => again.resolve() });
  await rig.store.delete(refTo("one"));
  await again.promise;
  rig.informer.beginAnew();
  assert.equal(rig.informer.hasSynced, false);
  assert.equal(rig.informer.resourceVersion, undefined);
  await rig.store.create(configmaps, configMap("two", "2"));
  await rig.settle(1);
  await rig.informer.synced;
  assert.equal(rig.watches.length, 2);
  assert.deepEqual(rig.told, ["+one 1", "-one 1", "+two 2"]);
});

Deno.test("Informer.run() a second time is complete only when it has read all again", async () => {
  await using rig = new Rig();
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  rig.stop.abort();
  await rig.running;
  await rig.store.delete(refTo("one"));
  const stop = new AbortController();
  const running = rig.informer.run(stop.signal);
  assert.equal(rig.informer.hasSynced, false);
  await rig.informer.synced;
  assert.deepEqual(rig.told, ["+one 1", "-one 1"]);
  stop.abort();
  await running;
});

Deno.test("Informer.run() ends when aborted, and rejects for what is hopeless", async () => {
  const rig = new Rig();
  await rig.start();
  rig.stop.abort();
  await rig.running;
  assert.equal(rig.store.watches, 0);
  await rig[Symbol.asyncDispose]();
  await using hopeless = new Rig();
  hopeless.failures.push(new AppError("BadRequest", "no such selector"));
  await assert.rejects(hopeless.start(), /no such selector/);
  await assert.rejects(hopeless.running, /no such selector/);
});

Deno.test("classify() relists what expired, resumes what was cut, and stops at what is hopeless", () => {
  const table: [unknown, string][] = [
    [undefined, "resume"],
    [new AppError("ServiceUnavailable", ""), "resume"],
    [new AppError("TooManyRequests", ""), "resume"],
    [new AppError("Timeout", ""), "resume"],
    [new AppError("Expired", ""), "relist"],
    [new AppError("NotFound", ""), "relist"],
    [new AppError("Forbidden", ""), "relist"],
    [new AppError("InternalError", ""), "relist"],
    [new Error("whatever"), "relist"],
    ["text", "relist"],
    [new AppError("BadRequest", ""), "stop"],
    [new AppError("Invalid", ""), "stop"],
  ];
  for (const [error, expected] of table) assert.equal(classify(error), expected);
});

Deno.test("Informer.synced settles for who asked after a beginAnew() between two runs", async () => {
  await using rig = new Rig();
  await rig.start();
  const other = new AbortController();
  rig.stop.abort();
  await rig.running;
  rig.informer.beginAnew();
  const { synced } = rig.informer;
  let settled = false;
  synced.then(() => settled = true, () => {});
  const running = rig.informer.run(other.signal);
  await rig.informer.synced;
  await rig.clock.advance(seconds(0));
  assert.equal(settled, true);
  other.abort();
  await running;
});

Deno.test("Informer says nothing of a watch that breaks once, and speaks when it breaks for seconds untold", async () => {
  await using rig = new Rig();
  await rig.start();
  for (let i = 0; i < 3; i++) {
    rig.cut(new AppError("Timeout", "nothing came for 75 s"));
    await rig.settle(60);
    // It tells something in between: the store is there.
    await rig.store.create(configmaps, configMap(`m${i}`));
    await rig.settle();
  }
  assert.deepEqual(rig.said, []);
  const fail = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) rig.failures.push(new AppError("Timeout", "not yet"));
    rig.cut();
    await rig.settle(60);
  };
  await fail(2);
  await rig.store.create(configmaps, configMap("soon"));
  await rig.settle();
  assert.deepEqual(rig.said, [], "a server that has just started");
  await fail(8);
  assert.deepEqual(rig.said, ["watch failed"]);
  await rig.store.create(configmaps, configMap("last"));
  await rig.settle();
  assert.deepEqual(rig.said, ["watch failed", "watch goes on"]);
});

Deno.test("Informer speaks when its watch breaks at once, again and again, though it tells something", async () => {
  await using rig = new Rig();
  await rig.start();
  rig.informer.handle({ added: () => rig.cut(new AppError("ServiceUnavailable", "cut off")) });
  // Each watch tells one of them, and breaks.
  for (let i = 0; i < 20; i++) await rig.store.create(configmaps, configMap(`m${i}`));
  await rig.settle(55);
  assert.deepEqual(rig.said, ["watch failed"]);
  await rig.settle(3600);
  assert.equal(rig.told.length, 20);
  await rig.store.create(configmaps, configMap("last"));
  await rig.settle();
  const goesOn = rig.said.indexOf("watch goes on");
  assert.ok(goesOn >= 2 && goesOn <= 4, `${rig.said}`);
  assert.deepEqual(rig.said.slice(goesOn), ["watch goes on"]);
});

Deno.test("Informer tells of a long failure now and then, and leaves an outage to who tells of it", async () => {
  await using rig = new Rig();
  await rig.start();
  for (let i = 0; i < 100; i++) rig.failures.push(new AppError("Forbidden", "may not watch"));
  rig.cut();
  while (rig.failures.length > 0) await rig.settle(30);
  const told = rig.said.length;
  assert.ok(told >= 3 && told <= 5, `${told} lines`);
  await rig.settle(60);
  await rig.store.create(configmaps, configMap("one"));
  await rig.settle();
  assert.equal(rig.said.at(-1), "watch goes on");
  assert.ok(Number(rig.lines.at(-1)?.["tries"]) === 100);
  const before = rig.said.length;
  for (let i = 0; i < 100; i++) {
    const error = new AppError("ServiceUnavailable", "refused");
    markTold(error);
    rig.failures.push(error);
  }
  rig.cut();
  while (rig.failures.length > 0) await rig.settle(30);
  assert.equal(rig.said.length, before);
});

Deno.test("Informer ends when its kind is served no more, and nothing of it is left", async () => {
  let isGone = false;
  let asked = 0;
  await using rig = new Rig(10_000, () => Promise.resolve(++asked > 0 && isGone));
  await rig.store.create(configmaps, configMap("one", "1"));
  await rig.start();
  const fail = async (times: number, mark = false): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const error = new AppError("ServiceUnavailable", "answered 404");
      if (mark) markTold(error);
      rig.failures.push(error);
    }
    rig.cut();
    await rig.settle(60);
  };
  await fail(3, true);
  assert.equal(asked, 0, "the server is away, which says nothing of the kind");
  await fail(3);
  assert.ok(asked > 0);
  assert.equal(rig.informer.view.size, 1, "it is served");
  isGone = true;
  await fail(3);
  await rig.running;
  assert.equal(rig.failures.length, 2, "it is tried no more");
  assert.deepEqual(rig.told, ["+one 1", "-one 1"]);
  assert.equal(rig.informer.hasSynced, true);
});

Deno.test("Informer says without alarm that all is read anew as its version has expired", async () => {
  await using rig = new Rig();
  await rig.start();
  rig.failures.push(new AppError("Expired", "too old"));
  rig.cut();
  await rig.settle(1);
  assert.deepEqual(rig.lines.map(({ level, msg }) => [level, msg]), [["info", "watch failed"]]);
});
