import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import { seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { createLeaseRenewal } from "./leases.ts";

Deno.test("createLeaseRenewal() goes on when the wall clock is set back, and writes its own duration", async () => {
  const clock = new VirtualClock();
  let lease = {
    metadata: { name: "gw" },
    spec: { leaseDurationSeconds: 1 },
  } as unknown as KubeObject;
  let writes = 0;
  const update: Store["update"] = (_ref, change) => {
    lease = change(lease);
    // While a round of renewals is under way.
    if (++writes === 1) clock.setWall(clock.now() - seconds(600) as typeof start);
    return Promise.resolve(lease);
  };
  const start = clock.now();
  const service = createLeaseRenewal({
    store: { update } as Partial<Store> as Store,
    clock,
    log: silentLogger,
    sessions: () => [{ node: "gw", lastSeen: clock.now() }],
  });
  const end = new AbortController();
  const running = service.run(end.signal, () => {});
  for (let i = 0; i < 60; i++) await clock.advance(seconds(1));
  end.abort();
  await clock.advance(seconds(1));
  await running;
  assert.ok(writes >= 6, `${writes} renewals in a minute`);
  assert.equal(lease["spec"].leaseDurationSeconds, 40);
});
