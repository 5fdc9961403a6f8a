import assert from "node:assert/strict";
import type { Pod } from "../../../core/api/mod.ts";
import type { ObservedSandbox } from "../../runtimes/mod.ts";
import type { PodView } from "../policy/plan.ts";
import { addressOf } from "./facts.ts";

function podOf(hostNetwork: boolean): Pod {
  const spec = { containers: [], hostNetwork };
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
}

function viewOf(...sandboxes: [ready: boolean, ...ips: string[]][]): PodView {
  return {
    sandboxes: sandboxes.map(([ready, ...ips]) => ({ ready, ips }) as unknown as ObservedSandbox),
    containers: [],
  };
}

Deno.test("addressOf() is the first address of the sandbox that is ready", () => {
  const view = viewOf([false], [true, "10.42.0.2", "fd00::2"]);
  assert.deepEqual(addressOf(podOf(false), view, []), { host: "10.42.0.2" });
  assert.deepEqual(addressOf(podOf(false), viewOf(), []), { host: "" });
});

Deno.test({
  name: "addressOf() of the host's network is the node's address where that may be asked",
  permissions: { net: ["192.0.2.7"] },
  fn: () => {
    assert.deepEqual(addressOf(podOf(true), viewOf(), ["192.0.2.7"]), { host: "192.0.2.7" });
  },
});

Deno.test({
  name: "addressOf() of the host's network is loopback elsewhere, and says so",
  permissions: { net: ["127.0.0.1"] },
  fn: () => {
    assert.deepEqual(addressOf(podOf(true), viewOf(), ["192.0.2.7"]), {
      host: "127.0.0.1",
      aside: "asked at 127.0.0.1; with --node-ip=192.0.2.7 the agent asks at the node's address",
    });
    assert.deepEqual(addressOf(podOf(true), viewOf(), []), { host: "127.0.0.1" });
  },
});
