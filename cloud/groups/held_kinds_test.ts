import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import {
  AppError,
  ms,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import { Actor, Views } from "../../core/control/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { VALVES } from "./harness_test_helper.ts";
import { HeldKinds } from "./held_kinds.ts";

const never = new AbortController().signal;

Deno.test("HeldKinds lets go of a kind that is served no more, and takes it up when it is back", async () => {
  const clock = new VirtualClock();
  const parts = { clock, random: seededRandom(1), log: silentLogger };
  using real = openSqliteStore({ path: ":memory:", ...parts });
  let served = true;
  let watches = 0;
  const ends = new Set<() => void>();
  /** A server without the kind answers so, and ends the watches of it. */
  const missing = () => new AppError("ServiceUnavailable", "the API server answered 404");
  const store: Store = Object.create(real, {
    list: {
      value: (...args: Parameters<Store["list"]>) => {
        if (args[0] === VALVES && !served) throw missing();
        return real.list(...args);
      },
    },
    watch: {
      value: async (...args: Parameters<Store["watch"]>) => {
        if (args[0] !== VALVES) return await real.watch(...args);
        watches++;
        if (!served) throw missing();
        const watch = await real.watch(...args);
        ends.add(() => watch.abort());
        return watch;
      },
    },
  });
  const views = new Views({ ...parts, store });
  let down = false;
  const held = new HeldKinds({
    ...{ ...parts, store, views, actor: new Actor(store, views) },
    kinds: {
      find: () => Promise.resolve(served ? VALVES : undefined),
      prefer: () => Promise.resolve(served ? VALVES : undefined),
    },
    isKindGone: () => down ? Promise.reject(missing()) : Promise.resolve(!served),
  });
  const told: string[] = [];
  using _ = held.subscribe(({ object, before }) =>
    void told.push(object ? `+${object.metadata.name}` : `-${before?.metadata.name}`)
  );
  const stop = new AbortController();
  const running = views.run(stop.signal);
  const find = () => held.find("plants.example.com/v1", "Valve", never);
  const remove = async (): Promise<void> => {
    served = false;
    for (const end of ends) end();
    ends.clear();
    await clock.advance(seconds(60));
  };
  const inlet: KubeObject = {
    apiVersion: "plants.example.com/v1",
    kind: "Valve",
    metadata: { name: "inlet", namespace: "default" },
  };
  await real.create(VALVES, inlet);
  assert.equal(await find(), VALVES);
  assert.deepEqual(told, ["+inlet"]);

  down = true;
  await remove();
  assert.ok(held.view(VALVES), "nobody knows whether it is gone");
  down = false;
  await clock.advance(seconds(60));
  assert.equal(held.view(VALVES), undefined);
  assert.deepEqual(told, ["+inlet", "-inlet"]);
  const before = watches;
  await clock.advance(seconds(600));
  assert.equal(watches, before, "it is watched no more");
  const problem = await find();
  assert.ok("reason" in problem && problem.reason === "KindNotServed");

  served = true;
  assert.equal(await find(), VALVES);
  assert.deepEqual(told, ["+inlet", "-inlet", "+inlet"]);
  await real.create(VALVES, { ...inlet, metadata: { ...inlet.metadata, name: "outlet" } });
  await clock.advance(ms(0));
  assert.deepEqual(told.slice(3), ["+outlet"], "it is followed again");
  stop.abort();
  await running;
});

Deno.test("HeldKinds is complete in a later run of the views though the first one ended before", async () => {
  const clock = new VirtualClock();
  const parts = { clock, random: seededRandom(1), log: silentLogger };
  using store = openSqliteStore({ path: ":memory:", ...parts });
  const views = new Views({ ...parts, store });
  const held = new HeldKinds({ ...parts, store, views, actor: new Actor(store, views) });
  await views.run(AbortSignal.abort(new Error("this replica leads no more")));
  const stop = new AbortController();
  const running = views.run(stop.signal);
  await held.synced;
  stop.abort(new Error("over"));
  await running;
});
