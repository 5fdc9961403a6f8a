import assert from "node:assert/strict";
import { createKubelet, type KubeletRoute, serveTunnel } from "../../agent/kubelet/mod.ts";
import { createCallKubelet } from "../../cloud/kubelet/mod.ts";
import type { NodeName } from "../../core/base/mod.ts";
import { Rig } from "./rig.ts";

const NODE = "n1" as NodeName;
const never = new AbortController().signal;

/** A hub and a node whose kubelet has `routes` beside its own. */
async function rigWith(...routes: KubeletRoute[]): Promise<Rig> {
  const rig = new Rig();
  await rig.startHub();
  const node = rig.node(NODE, {
    onOpen: (header, incoming, signal) => {
      const kubelet = createKubelet({ node: NODE, store: node.store, clock: rig.clock, routes });
      return serveTunnel({ kubelet, pods: undefined, clock: rig.clock }, header, incoming, signal);
    },
  });
  await rig.pass(1);
  return rig;
}

async function passUntil<T>(rig: Rig, promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  await rig.pass(1);
  return await promise;
}

Deno.test("createCallKubelet() brings a node's answer: status, type and body", async () => {
  const big = "x".repeat(1_000_000);
  await using rig = await rigWith(
    { method: "GET", path: "/big", handle: () => new Response(big) },
    { method: "GET", path: "/none", handle: () => new Response(null, { status: 204 }) },
  );
  const call = createCallKubelet((node, header, stop) => rig.hub.openStream(node, header, stop));
  const ask = async (path: string): Promise<[number, string | null, string]> => {
    const response = await passUntil(rig, call(NODE, path, never));
    const text = await passUntil(rig, response.text());
    return [response.status, response.headers.get("content-type"), text];
  };
  assert.deepEqual(await ask("/healthz"), [200, "text/plain; charset=utf-8", "ok"]);
  assert.equal((await ask("/big"))[2], big);
  assert.deepEqual(await ask("/none"), [204, null, ""]);
  const [status, type, body] = await ask("/nothing?x");
  assert.deepEqual([status, type], [404, "application/json"]);
  assert.equal(JSON.parse(body).reason, "NotFound");
  await assert.rejects(passUntil(rig, call(NODE, "//x", never)), { code: "BadRequest" });
  await assert.rejects(call("n2" as NodeName, "/healthz", never), { code: "ServiceUnavailable" });
  await rig.pass(1);
  assert.equal(rig.hub.streams, 0);
});

Deno.test("createCallKubelet() ends what the node reads when the caller goes away", async () => {
  let ended = 0;
  await using rig = await rigWith({
    method: "GET",
    path: "/forever",
    handle: () => new Response(new ReadableStream({ cancel: () => void ended++ })),
  });
  const call = createCallKubelet((node, header, stop) => rig.hub.openStream(node, header, stop));
  const gone = new AbortController();
  await passUntil(rig, call(NODE, "/forever", gone.signal));
  const cancelled = await passUntil(rig, call(NODE, "/forever", never));
  assert.equal(rig.hub.streams, 2);
  gone.abort(new Error("left"));
  await cancelled.body?.cancel();
  await rig.pass(1);
  assert.deepEqual([ended, rig.hub.streams], [2, 0]);
});

Deno.test("createCallKubelet() does not believe whatever a node says of its answer", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const heads: Record<string, unknown>[] = [{}, { status: 99, type: "" }, {
    status: 200,
    type: "\n",
  }];
  rig.node(NODE, {
    onOpen: async (_header, incoming) => void await incoming.accept(heads.shift()),
  });
  await rig.pass(1);
  const call = createCallKubelet((node, header, stop) => rig.hub.openStream(node, header, stop));
  while (heads.length > 0) {
    await assert.rejects(passUntil(rig, call(NODE, "/pods", never)), { code: "InternalError" });
  }
  await rig.pass(1);
  assert.equal(rig.hub.streams, 0);
});
