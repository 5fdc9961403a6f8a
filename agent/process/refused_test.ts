import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { type Event, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { tellRefused } from "./refused.ts";
import { EventReports } from "./reports.ts";

const POD: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "u1" },
  spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] },
};
const STATUS = {
  kind: "pod-status",
  body: { namespace: "shop", name: "web", uid: "u1", status: {} },
};
const MESSAGE = 'Pod "web" is invalid: status.hostIP: Invalid value: "1.2.3"';

/** The Events that come of one refusal. */
function eventsOf(
  intent: Omit<NewIntent, "key">,
  { code = "Invalid", message = MESSAGE, said = true } = {},
): Event[] {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  store.transact((tx) => tx.put(RESOURCES.pods, POD));
  const sent: NewIntent[] = [];
  const events = new EventReports((_tx, one) => sent.push(one), "n1", new VirtualClock());
  tellRefused({ store, events }, { key: "k", ...intent }, { code, message, said });
  return sent.map(({ body }) => (body as { event: Event }).event);
}

Deno.test("tellRefused() says at the pod why its status stands still", () => {
  for (const intent of [STATUS, { kind: "pod-mirror", body: { pod: POD } }]) {
    const [event, ...more] = eventsOf(intent);
    strictEqual(more.length, 0);
    strictEqual(event?.type, "Warning");
    strictEqual(event.reason, "StatusRefused");
    match(String(event.message), /is an older one: .*status\.hostIP/);
    deepStrictEqual(event.involvedObject, {
      ...{ apiVersion: "v1", kind: "Pod" },
      ...{ namespace: "shop", name: "web", uid: "u1" },
    });
  }
});

Deno.test("tellRefused() says at the node why its own status stands still, within bounds", () => {
  const [event] = eventsOf({ kind: "node", body: { node: {} } }, { message: "x".repeat(5000) });
  strictEqual(event?.involvedObject.kind, "Node");
  strictEqual(String(event.message).length < 700, true);
});

Deno.test("tellRefused() makes no Event of what the log leaves out, of what is gone, or of Events", () => {
  deepStrictEqual(eventsOf(STATUS, { said: false }), []);
  deepStrictEqual(eventsOf(STATUS, { code: "NotFound" }), []);
  deepStrictEqual(eventsOf(STATUS, { code: "Forbidden" }), []);
  deepStrictEqual(eventsOf({ kind: "event", body: { event: {} } }), []);
  deepStrictEqual(eventsOf({ ...STATUS, body: { ...STATUS.body, name: "gone" } }), []);
});
