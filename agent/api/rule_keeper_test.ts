import assert from "node:assert/strict";
import { minutes, seededRandom, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import type { Away } from "./node_store.ts";
import { RuleKeeper } from "./rule_keeper.ts";

const ROBOT = { namespace: "shop", name: "robot" };

function rig() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const asked: string[] = [];
  const stop = new AbortController();
  const at = {
    accounts: [{ account: ROBOT, token: "t1" }],
    change: new AbortController(),
    away: undefined as Away | undefined,
    signal: undefined as AbortSignal | undefined,
    answer: (namespace: string): Response =>
      Response.json({
        status: {
          resourceRules: [{
            verbs: ["get"],
            apiGroups: [""],
            resources: [namespace === "shop" ? "pods" : "nodes"],
          }],
        },
      }, { status: 201 }),
  };
  const keeper = new RuleKeeper({
    store,
    accounts: () => at.accounts,
    phase: () => ({ away: at.away, ends: at.change.signal }),
    forward: async (request, signal) => {
      at.signal = signal;
      const { spec: { namespace } } = await request.json();
      asked.push(`${request.headers.get("authorization")} ${namespace}`);
      return at.answer(namespace);
    },
    clock,
    random: seededRandom(1),
    log: silentLogger,
  });
  const running = keeper.service().run(stop.signal, () => {});
  return {
    ...{ at, clock, keeper, asked },
    settle: () => clock.advance(0 as ReturnType<typeof minutes>),
    becomes: (away: Away | undefined) => {
      const before = at.change;
      Object.assign(at, { away, change: new AbortController() });
      before.abort();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      store[Symbol.dispose]();
    },
  };
}

const resources = (keeper: RuleKeeper) => {
  const rules = keeper.rulesOf(ROBOT);
  return rules && [rules.own, rules.everywhere].map((one) => one.resources[0]?.resources[0]);
};

Deno.test("RuleKeeper asks with the pod's token, for its namespace and for all, and again after minutes", async () => {
  await using rigged = rig();
  const { keeper, asked, clock, settle } = rigged;
  await settle();
  assert.deepEqual(asked, ["Bearer t1 shop", "Bearer t1 skerry.nowhere"]);
  assert.deepEqual(resources(keeper), ["pods", "nodes"]);
  keeper.kick();
  await settle();
  assert.equal(asked.length, 2, "what was asked a moment ago is known");
  await clock.advance(minutes(6));
  assert.equal(asked.length, 4);
});

Deno.test("RuleKeeper asks at once for a new account, and forgets one that no pod has", async () => {
  await using rigged = rig();
  const { at, keeper, asked, settle } = rigged;
  at.accounts = [];
  keeper.kick();
  await settle();
  at.accounts = [{ account: ROBOT, token: "t2" }];
  keeper.kick();
  await settle();
  assert.equal(asked.at(-1), "Bearer t2 skerry.nowhere");
  assert.ok(resources(keeper));
  at.accounts = [];
  keeper.kick();
  await settle();
  assert.equal(resources(keeper), undefined);
});

Deno.test("RuleKeeper keeps what it knows while nobody answers, and asks when the cluster is back", async () => {
  await using rigged = rig();
  const { at, keeper, asked, clock, settle, becomes } = rigged;
  await settle();
  for (const away of ["hub", "server"] as const) {
    becomes(away);
    await clock.advance(minutes(60));
  }
  assert.equal(asked.length, 2);
  at.answer = () => new Response("no", { status: 401 });
  becomes(undefined);
  await settle();
  assert.ok(asked.length > 2);
  assert.deepEqual(resources(keeper), ["pods", "nodes"]);
});

Deno.test("RuleKeeper gives up an answer that stands still when the link goes", async () => {
  await using rigged = rig();
  const { at, keeper, asked, settle, becomes } = rigged;
  await settle();
  at.accounts = [{ account: { namespace: "shop", name: "other" }, token: "t2" }];
  const good = at.answer;
  at.answer = () =>
    new Response(
      new ReadableStream({
        start: (out) => at.signal?.addEventListener("abort", () => out.error(at.signal?.reason)),
      }),
      { status: 201 },
    );
  keeper.kick();
  await settle();
  assert.equal(asked.at(-1), "Bearer t2 shop");
  at.answer = good;
  becomes("hub");
  await settle();
  becomes(undefined);
  await settle();
  assert.equal(asked.at(-1), "Bearer t2 skerry.nowhere");
});
