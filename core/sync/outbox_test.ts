import assert from "node:assert/strict";
import { seconds, VirtualClock } from "../base/mod.ts";
import { LINK, type Message } from "../link/mod.ts";
import { openSqliteStore, type SqliteStore } from "../store/mod.ts";
import { Outbox, OUTBOX_SPACE, type Result } from "./mod.ts";

class Rig implements Disposable {
  readonly clock = new VirtualClock();
  readonly store: SqliteStore = openSqliteStore({ path: ":memory:", clock: this.clock });
  readonly sent: Message[] = [];
  readonly refused: string[] = [];
  readonly failed: unknown[] = [];
  readonly outbox = new Outbox({
    store: this.store,
    clock: this.clock,
    random: () => 0.5,
    onRefused: ({ key }, { code }) => void this.refused.push(`${key} ${code}`),
  });

  add(key: string, body: unknown): void {
    this.store.transact((tx) => this.outbox.enqueue(tx, { key, kind: "k", body }));
  }

  attach(send?: (message: Message) => Promise<unknown>): void {
    this.outbox.attach({
      send: send ?? ((message) => {
        this.sent.push(message);
        return Promise.resolve();
      }),
      fail: (error) => void this.failed.push(error),
    });
  }

  answer(seq: unknown, error?: Result["error"]): void {
    const result: Result = {
      t: "result",
      seq: seq as number,
      ok: !error,
      ...(error ? { error } : {}),
    };
    this.store.transact((tx) => this.outbox.result(tx, result))();
  }

  get rows(): string[] {
    return this.store.transact((tx) => tx.rows(OUTBOX_SPACE)).map(({ key }) => key);
  }

  get bodies(): unknown[] {
    return this.sent.map(({ body }) => body);
  }

  async settle(span = 0): Promise<void> {
    await this.clock.advance(seconds(span));
    // A window full of rows takes more turns than the clock gives at once.
    for (let i = 0; i < 5; i++) await this.clock.advance(seconds(0));
  }

  [Symbol.dispose](): void {
    this.outbox.detach();
    this.store[Symbol.dispose]();
  }
}

Deno.test("Outbox sends what was written before, then what comes, in order", async () => {
  using rig = new Rig();
  rig.add("a", 1);
  rig.add("b", 2);
  rig.attach();
  await rig.settle();
  rig.add("c", 3);
  await rig.settle();
  assert.deepEqual(rig.bodies, [1, 2, 3]);
  assert.deepEqual(rig.rows, ["a", "b", "c"]);
  for (const { seq } of rig.sent) rig.answer(seq);
  assert.deepEqual(rig.rows, []);
});

Deno.test("Outbox coalesces by key, and a result for the older one removes nothing", async () => {
  using rig = new Rig();
  rig.attach();
  rig.add("a", "old");
  await rig.settle();
  rig.add("a", "new");
  rig.answer(rig.sent[0]?.seq);
  await rig.settle();
  assert.deepEqual(rig.rows, ["a"]);
  assert.deepEqual(rig.bodies, ["old", "new"]);
  rig.answer(rig.sent[1]?.seq);
  assert.deepEqual(rig.rows, []);
});

Deno.test("Outbox forgets what was rolled back", async () => {
  using rig = new Rig();
  rig.attach();
  assert.throws(() =>
    rig.store.transact((tx) => {
      rig.outbox.enqueue(tx, { key: "a", kind: "k", body: 1 });
      throw new Error("rollback");
    })
  );
  await rig.settle();
  assert.deepEqual(rig.sent, []);
});

Deno.test("Outbox sends all again on a new session, and not more than the window", async () => {
  using rig = new Rig();
  for (let i = 0; i < LINK.intentWindow + 10; i++) rig.add(`k${i}`, i);
  rig.attach();
  await rig.settle();
  assert.equal(rig.sent.length, LINK.intentWindow);
  rig.answer(rig.sent[5]?.seq);
  await rig.settle();
  assert.equal(rig.sent.length, LINK.intentWindow + 1);
  rig.sent.length = 0;
  rig.attach();
  await rig.settle();
  assert.deepEqual(rig.bodies.slice(0, 6), [0, 1, 2, 3, 4, 6]);
});

Deno.test("Outbox sends again later what the hub could not write, and drops what it refused", async () => {
  using rig = new Rig();
  rig.attach();
  rig.add("again", 1);
  rig.add("never", 2);
  await rig.settle();
  const error = { message: "no", retry: true };
  rig.answer(rig.sent[0]?.seq, { ...error, code: "ServiceUnavailable" });
  rig.answer(rig.sent[1]?.seq, { ...error, code: "Forbidden", retry: false });
  await rig.settle();
  assert.deepEqual([rig.sent.length, rig.rows], [2, ["again"]]);
  assert.deepEqual(rig.refused, ["never Forbidden"]);
  await rig.settle(2);
  assert.deepEqual(rig.bodies, [1, 2, 1]);
  rig.add("again", 3);
  rig.answer(rig.sent[2]?.seq, { ...error, code: "ServiceUnavailable" });
  await rig.settle(60);
  assert.deepEqual(rig.bodies, [1, 2, 1, 3], "a newer one has its own turn");
});

Deno.test("Outbox ends the session when it cannot send, and loses nothing", async () => {
  using rig = new Rig();
  rig.add("a", 1);
  rig.attach(() => Promise.reject(new Error("broken")));
  await rig.settle();
  assert.equal(rig.failed.length, 1);
  rig.attach();
  await rig.settle();
  assert.deepEqual(rig.bodies, [1]);
  rig.answer(999);
  assert.deepEqual(rig.rows, ["a"], "a result for what was never sent is ignored");
});

Deno.test("Outbox keeps about a thousand events of a long time alone, the newest, and all else", () => {
  using rig = new Rig();
  rig.add("pod-status/u", 1);
  for (let i = 0; i < 3000; i++) {
    rig.store.transact((tx) =>
      rig.outbox.enqueue(tx, { key: `event/a/e${i}`, kind: "event", body: i })
    );
  }
  const { rows } = rig;
  assert.equal(rows[0], "pod-status/u");
  assert.ok(rows.length > 1000 && rows.length < 1070, `${rows.length} rows`);
  assert.equal(rows.at(-1), "event/a/e2999");
});

Deno.test("Outbox sends on a new session although the old one's send fails later", async () => {
  using rig = new Rig();
  rig.add("a", 1);
  const old = Promise.withResolvers<unknown>();
  rig.attach(() => old.promise);
  await rig.settle();
  rig.outbox.detach();
  rig.attach();
  await rig.settle();
  old.reject(new Error("the old link closed"));
  await rig.settle();
  assert.deepEqual([rig.bodies, rig.failed], [[1], []]);
});
