import assert from "node:assert/strict";
import type { KubeObject, Lease } from "../../core/api/mod.ts";
import {
  hours,
  ms,
  seconds,
  silentLogger,
  toMicroTime,
  VirtualClock,
} from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { HUB_LABEL, KUBELET_ANNOTATION, PEER_ANNOTATION } from "../../core/tokens/mod.ts";
import { Presence } from "./presence.ts";

Deno.test("Presence puts back labels and annotations of its Lease, and keeps those of others", async () => {
  const clock = new VirtualClock();
  let lease: KubeObject = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "skerry-hub-a", labels: { mine: "yes" } },
    spec: {},
  };
  const store: Partial<Store> = {
    update: (_ref, change) => Promise.resolve(lease = change(lease)),
    delete: () => Promise.resolve(lease),
  };
  const self = { id: "a", tag: "0a", kubeletAddress: "192.0.2.1", peer: "192.0.2.1:1", ca: "" };
  const presence = new Presence({
    store: store as Store,
    self,
    clock,
    random: () => 0.5,
    log: silentLogger,
  });
  const service = presence.services().find(({ name }) => name === "presence");
  const end = new AbortController();
  const running = service?.run(end.signal, () => {});
  await clock.advance(seconds(1));
  end.abort();
  await running;
  assert.deepEqual(lease.metadata.labels, { mine: "yes", [HUB_LABEL]: "true" });
  assert.equal(lease.metadata.annotations?.[PEER_ANNOTATION], self.peer);
});

/** A hub of CA `a` before Leases as `leases` shows them at each look. */
function place(leases: (clock: VirtualClock) => Lease[]) {
  const clock = new VirtualClock();
  const store: Partial<Store> = {
    list: () => Promise.resolve({ items: leases(clock), resourceVersion: "1" }),
  };
  const self = { id: "a", tag: "0a", kubeletAddress: "192.0.2.1", peer: "192.0.2.1:1", ca: "a" };
  const random = () => 0.5;
  const presence = new Presence({ store: store as Store, self, clock, random, log: silentLogger });
  const stop = new AbortController();
  let result: unknown = "looking";
  presence.refuseForeign(stop.signal).then(() => result = "none", (error) => result = error.code);
  return { clock, stop, result: () => result };
}

function leaseOf(ca: string, renewed: number): Lease {
  const annotations = {
    ...{ [KUBELET_ANNOTATION]: "192.0.2.2", [PEER_ANNOTATION]: "192.0.2.2:1" },
    ...{ "skerry.dev/stream-tag": "0b", "skerry.dev/ca": ca },
  };
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "skerry-hub-b", annotations },
    spec: { holderIdentity: "b", renewTime: toMicroTime(ms(renewed)) },
  };
}

Deno.test("Presence finds a hub with another CA whose clock is an hour behind, once it renews", async () => {
  const start = new VirtualClock().now();
  const { clock, result } = place((clock) => {
    const renewals = Math.floor(clock.monotonic() / seconds(10));
    return [leaseOf("b", start - hours(1) + renewals * seconds(10))];
  });
  await clock.advance(seconds(9));
  assert.equal(result(), "looking");
  await clock.advance(seconds(3));
  assert.equal(result(), "Conflict");
});

Deno.test("Presence goes on when nobody renews the Lease of a hub with another CA, after its time", async () => {
  const { clock, result } = place((
    clock,
  ) => [leaseOf("b", clock.now() - clock.monotonic() - 60_000)]);
  await clock.advance(seconds(40));
  assert.equal(result(), "looking");
  await clock.advance(seconds(3));
  assert.equal(result(), "none");
  assert.equal(clock.size, 0);
});

Deno.test("Presence does not wait for hubs of its own CA, nor to refuse what is plain", async () => {
  const cases: [Lease[], string][] = [
    [[], "none"],
    [[leaseOf("a", 0)], "none"],
    [[leaseOf("", 0)], "none"],
    [[leaseOf("b", new VirtualClock().now() - 20_000)], "Conflict"],
  ];
  for (const [leases, expected] of cases) {
    const { clock, result } = place(() => leases);
    await clock.advance(ms(0));
    assert.equal(result(), expected);
  }
});

Deno.test("Presence looks no longer when the hub is to stop", async () => {
  const { clock, stop, result } = place(() => [leaseOf("b", 0)]);
  await clock.advance(seconds(5));
  stop.abort(new Error("stopping"));
  await clock.advance(ms(0));
  assert.equal(result(), "none");
});
