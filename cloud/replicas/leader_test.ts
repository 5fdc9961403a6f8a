import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import {
  minutes,
  type Ms,
  ms,
  seconds,
  silentLogger,
  systemClock,
  toMicroTime,
  VirtualClock,
} from "../../core/base/mod.ts";
import { until } from "../../core/http/testing.ts";
import { KubeClient, RemoteStore } from "../../core/kube/mod.ts";
import { FakeApiServer, json } from "../../core/kube/testing.ts";
import type { Store } from "../../core/store/mod.ts";
import { leaderService } from "./leader.ts";

/** The leadership of replica `a` at a store of which only writes are wanted. */
function serviceOn(
  clock: VirtualClock,
  update: Store["update"],
  onLeading: (leading: boolean) => void,
) {
  return leaderService({
    store: { update } as Partial<Store> as Store,
    id: "a",
    clock,
    random: () => 0.5,
    log: silentLogger,
    services: [],
    onLeading,
  });
}

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
  const service = serviceOn(clock, update, (leading) => {
    stopped = leading ? undefined : clock.monotonic();
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

Deno.test("leaderService() renews past more calls than may run, of which none is answered", async () => {
  const lease = { metadata: { name: "l", resourceVersion: "1" }, spec: { holderIdentity: "a" } };
  let hanging = 0;
  let renewals = 0;
  await using server = await FakeApiServer.start(async (request, { signal }) => {
    if (request.url.includes("/pods")) {
      hanging++;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    if (request.method === "PATCH") renewals++;
    return json(lease);
  });
  const random = () => 0.5;
  using client = new KubeClient({
    ...{ endpoint: server.endpoint, clock: systemClock, random },
    timeout: minutes(5),
  });
  const end = new AbortController();
  const calls = Array.from(
    { length: 100 },
    () => client.call({ method: "GET", path: "/api/v1/pods", signal: end.signal }),
  );
  const over = Promise.allSettled(calls);
  await until("as many hang as may run", () => hanging === 64 || undefined);
  const clock = new VirtualClock();
  let leading = false;
  const service = leaderService({
    store: new RemoteStore({ client, clock, random, urgent: true }),
    id: "a",
    clock,
    random,
    log: silentLogger,
    services: [],
    onLeading: (now) => leading = now,
  });
  const running = service.run(end.signal, () => {});
  await until("it leads", () => leading || undefined);
  for (let i = 0; i < 10; i++) {
    const before = renewals;
    await clock.advance(seconds(2));
    await until("the Lease is renewed", () => renewals > before || undefined);
    // The answer to the renewal has been read when the next wait begins.
    await until("it waits for the next", () => clock.size >= 2 || undefined);
  }
  assert.equal(leading, true);
  end.abort(new Error("over"));
  await Promise.all([running, over]);
});

Deno.test("leaderService() takes over 15 s after the last renewal that it has seen, whatever clocks say", async () => {
  for (const apart of [-3_600_000, 0, 3_600_000]) {
    const clock = new VirtualClock();
    const spec = { holderIdentity: "b", renewTime: "" };
    let lease = { metadata: { name: "l" }, spec } as unknown as KubeObject;
    const renew = (): void => {
      const renewTime = toMicroTime(ms(clock.now() + apart));
      lease = { ...lease, spec: { ...spec, renewTime } };
    };
    const update: Store["update"] = (_ref, change) =>
      Promise.resolve().then(() => lease = change(lease));
    let since: Ms | undefined;
    const service = serviceOn(clock, update, (leading) => {
      since = leading ? clock.monotonic() : undefined;
    });
    const end = new AbortController();
    renew();
    const running = service.run(end.signal, () => {});
    for (let i = 0; i < 30; i++) {
      renew();
      await clock.advance(seconds(1));
    }
    assert.equal(since, undefined, "it is renewed");
    await clock.advance(seconds(20));
    assert.ok(since !== undefined && since > seconds(44) && since <= seconds(48), String(since));
    end.abort();
    await clock.advance(seconds(3));
    await running;
  }
});
