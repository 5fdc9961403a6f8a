import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import { type Ms, seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { leaderService } from "./leader.ts";

Deno.test("leaderService() gives up after 10 s although its renewal still hangs", async () => {
  const clock = new VirtualClock();
  let lease = { metadata: { name: "l" }, spec: { holderIdentity: "" } } as unknown as KubeObject;
  let release: (() => void) | undefined;
  let hang = false;
  let written = 0 as Ms;
  const update: Store["update"] = async (_ref, change) => {
    if (hang) await new Promise<void>((resolve) => release = resolve);
    lease = change(lease);
    written = clock.monotonic();
    return lease;
  };
  let stopped: Ms | undefined;
  const service = leaderService({
    store: { update } as Partial<Store> as Store,
    id: "a",
    clock,
    random: () => 0.5,
    log: silentLogger,
    services: [],
    onLeading: (leading) => stopped = leading ? undefined : clock.monotonic(),
  });
  const end = new AbortController();
  const running = service.run(end.signal, () => {});
  for (let i = 0; i < 60; i++) await clock.advance(seconds(1));
  assert.equal(stopped, undefined, "a leader that renews goes on");
  hang = true;
  for (let i = 0; i < 14; i++) await clock.advance(seconds(1));
  assert.equal(stopped, written + seconds(10));
  hang = false;
  end.abort();
  release?.();
  await clock.advance(seconds(3));
  await running;
});
