import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import { AppError, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { History } from "./history.ts";

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
    onEpoch: () => {},
  });
  assert.equal(await history.isSteady(), true);
  version = 50;
  assert.equal(await history.isSteady(), false);
  assert.equal(await history.isSteady(), true);
  fails = true;
  await assert.rejects(history.isSteady(), /it is away/);
});
