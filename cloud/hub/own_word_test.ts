import assert from "node:assert/strict";
import type { Condition, Node } from "../../core/api/mod.ts";
import { minutes, seconds, VirtualClock } from "../../core/base/mod.ts";
import { atHub, type NodeWord } from "../../core/sync/mod.ts";
import { OwnWord } from "./own_word.ts";

const KUBELET = { address: "10.0.0.1", port: 20_000 };
const READY: Condition = {
  type: "Ready",
  status: "True",
  reason: "KubeletReady",
  lastHeartbeatTime: "2026-01-01T00:00:00Z",
};
const WORD: NodeWord = { capacity: { cpu: "4" }, conditions: [READY], ...atHub(KUBELET) };

/** A node that has said {@linkcode WORD}; `asked` are the times of requests, in seconds. */
function setup() {
  const clock = new VirtualClock();
  const asked: number[] = [];
  let current: Node | undefined;
  const word = new OwnWord({
    node: "n1",
    view: { object: () => current },
    clock,
    kubelet: () => KUBELET,
    ask: () => void asked.push(clock.monotonic() / 1000),
  });
  const show = (status: NodeWord | undefined): void => {
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } } as const;
    current = status && { ...node, status };
    word.changed(["nodes//n1"]);
  };
  show(WORD);
  word.said(WORD);
  return { clock, asked, word, show };
}

Deno.test("OwnWord takes the echo of a write for the node's own, before its answer too", async () => {
  const { clock, asked, word } = setup();
  word.wrote("pods/a/p", "7");
  word.overruled("pods/a/p", "7");
  assert.equal(clock.size, 0);
  word.overruled("pods/a/p", "9");
  word.wrote("pods/a/p", "9");
  await clock.advance(seconds(2));
  assert.deepEqual(asked, []);
});

Deno.test("OwnWord asks once for all that others wrote, and for nothing that was overwritten since", async () => {
  const { clock, asked, word } = setup();
  word.wrote("pods/a/p", "7");
  word.overruled("pods/a/p", "8");
  word.overruled("pods/a/q", "10");
  word.overruled("pods/a/mirror", undefined);
  await clock.advance(seconds(2));
  assert.deepEqual(asked, [1]);
  word.overruled("pods/a/p", "99");
  word.wrote("pods/a/p", "100");
  await clock.advance(seconds(60));
  assert.deepEqual(asked, [1]);
});

Deno.test("OwnWord asks ever more seldom while somebody writes again and again, and then as at first", async () => {
  const { clock, asked, word } = setup();
  for (let second = 0, version = 1; second < 300; second++) {
    word.overruled("pods/a/p", `${version++}`);
    await clock.advance(seconds(1));
  }
  assert.deepEqual(asked, [1, 3, 7, 15, 31, 63, 127, 191, 255]);
  await clock.advance(seconds(1000));
  const before = asked.length;
  for (const _ of [1, 2]) {
    word.overruled("pods/a/p", "900");
    await clock.advance(seconds(100));
  }
  assert.deepEqual(asked.slice(before).map((at) => at - 1300), [1, 101]);
});

Deno.test("OwnWord remembers no more objects than a node can have, and asks nothing once disposed of", async () => {
  const { clock, asked, word } = setup();
  for (let n = 0; n <= 500; n++) word.wrote(`pods/a/${n}`, "5");
  word.overruled("pods/a/500", "5");
  assert.equal(clock.size, 0);
  word.overruled("pods/a/0", "5");
  assert.equal(clock.size, 1);
  word[Symbol.dispose]();
  await clock.advance(seconds(10));
  assert.deepEqual(asked, []);
});

const elsewhere = (port: number): NodeWord => ({ ...WORD, ...atHub({ ...KUBELET, port }) });

const FOREIGN: [string, NodeWord][] = [
  ["address", { ...WORD, addresses: [{ type: "InternalIP", address: "192.0.2.9" }] }],
  ["port", elsewhere(1)],
  ["port, gone", { ...WORD, daemonEndpoints: {} }],
  ["capacity", { ...WORD, capacity: { cpu: "400" } }],
  ["conditions", { ...WORD, conditions: [] }],
  ["Ready", { ...WORD, conditions: [{ ...READY, status: "Unknown" }] }],
];
Deno.test("OwnWord asks a second after somebody wrote over what the node or its hub says", async () => {
  for (const [what, status] of FOREIGN) {
    const { clock, asked, show } = setup();
    show(status);
    await clock.advance(seconds(10));
    assert.deepEqual(asked, [1], what);
  }
});

Deno.test("OwnWord leaves alone what others may write, heartbeats, and a Node that is gone", async () => {
  const { clock, asked, show } = setup();
  const time = { lastHeartbeatTime: "2026-01-01T00:05:00Z", lastTransitionTime: "2026-01-01" };
  const others = { type: "KernelDeadlock", status: "False" } as const;
  show({ ...WORD, conditions: [others, { ...READY, ...time }] });
  show({ ...WORD, capacity: { ...WORD.capacity, "example.com/dongle": "5" } });
  show({ ...WORD, volumesAttached: [{ name: "v", devicePath: "" }] } as NodeWord);
  show(WORD);
  show(undefined);
  await clock.advance(minutes(10));
  assert.deepEqual(asked, []);
  assert.equal(clock.size, 0);
});

Deno.test("OwnWord asks for nothing when what it sees turns out to be the node's own", async () => {
  const { clock, asked, word, show } = setup();
  const next = { ...WORD, capacity: { cpu: "8" } };
  show(next);
  word.said(next);
  await clock.advance(seconds(10));
  // And the other way round: the view is late.
  word.said(WORD);
  show(WORD);
  await clock.advance(seconds(10));
  assert.deepEqual(asked, []);
});

Deno.test("OwnWord sees what was written before the store had answered the hub", async () => {
  const { clock, asked, word, show } = setup();
  show(elsewhere(1));
  show(WORD);
  word.said({ ...WORD, capacity: { cpu: "8" } });
  await clock.advance(seconds(10));
  assert.deepEqual(asked, [1]);
});
