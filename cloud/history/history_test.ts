import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import { AppError, createLogger, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { History } from "./history.ts";

function open() {
  const clock = new VirtualClock();
  const lines: { level: string; msg: string }[] = [];
  const log = createLogger({ clock, write: (line) => lines.push(JSON.parse(line)) });
  const store = openSqliteStore({ path: ":memory:", clock });
  const made = { epochs: 0, lines };
  const history = new History({
    store: () => store,
    secret: () => "a key",
    clock,
    log,
    onEpoch: () => made.epochs++,
  });
  return Object.assign(made, { history, [Symbol.dispose]: () => store[Symbol.dispose]() });
}

Deno.test("History believes a node that can prove what it has seen: a new epoch begins", async () => {
  using it = open();
  const epoch = await it.history.epoch();
  const proof = it.history.prove(epoch, "1000");
  await it.history.check("n1", { seen: "1000", proof });
  assert.equal(it.epochs, 1);
  const next = await it.history.epoch();
  assert.notEqual(next, epoch);
  assert.match(next, new RegExp(`^${epoch}\\.`));
  // It is of a history that is no more.
  await it.history.check("n2", { seen: "1000", proof });
  assert.equal(it.epochs, 1);
});

Deno.test("History believes nobody else, or one node could stop all others", async () => {
  using it = open();
  const epoch = await it.history.epoch();
  const proof = it.history.prove(epoch, "1000");
  const claims = [
    { seen: "9007199254740000" },
    { seen: "9007199254740000", proof },
    { seen: "1000", proof: proof.toUpperCase() },
    { seen: "1000", proof: it.history.prove(`${epoch}.0`, "1000") },
    { seen: "1e15", proof: it.history.prove(epoch, "1000") },
    {},
  ];
  for (const claim of claims) await it.history.check("n1", claim);
  assert.equal(it.epochs, 0);
  assert.equal(await it.history.epoch(), epoch);
  assert.equal(it.history.mark.newest < 1000, true);
  assert.deepEqual(
    it.lines.map(({ level, msg }) => `${level} ${/not believed/.test(msg)}`),
    Array.from({ length: 5 }, () => "warn true"),
  );
});

Deno.test("isSteady() says no in the look that finds the cluster gone back, and yes after it", async () => {
  const clock = new VirtualClock();
  using sqlite = openSqliteStore({ path: ":memory:", clock });
  let version = 100;
  let fails = false;
  const store: Store = new Proxy(sqlite, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name !== "list") return member.bind(target);
      // As a store on an API server does it.
      return () => {
        if (fails) return Promise.reject(new AppError("ServiceUnavailable", "it is away"));
        history.mark.listed(RESOURCES.nodes, String(version), history.mark.now());
        return Promise.resolve({ items: [], resourceVersion: String(version) });
      };
    },
  });
  const history: History = new History({
    ...{ clock, log: silentLogger },
    store: () => store,
    secret: () => "a key",
    onEpoch: () => {},
  });
  assert.equal(await history.isSteady(), true);
  version = 50;
  assert.equal(await history.isSteady(), false);
  assert.equal(await history.isSteady(), true);
  fails = true;
  await assert.rejects(history.isSteady(), /it is away/);
});
