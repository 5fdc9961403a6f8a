import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import { seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { HUB_LABEL, PEER_ANNOTATION } from "../../core/tokens/mod.ts";
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
