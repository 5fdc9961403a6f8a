import assert from "node:assert/strict";
import { conditionOf, type Node } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  call,
  containersOf,
  COUNT,
  nodeReady,
  podsOf,
  readyFunction,
  readyPod,
  shellPod,
  Site,
  stepsOf,
  textFunction,
} from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-cri";

Deno.test({
  name: `a container runtime that is absent, dies and returns costs no pod its life${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      await containerd.stop();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const [token] = await Promise.all([site.token(hub, NODE), site.runner(NODE)]);
      const ready = (status: string): Promise<unknown> =>
        until(`node Ready ${status}`, async () => await nodeReady(api, NODE) === status);
      const url = `http://127.0.0.1:${site.port(`${NODE}-gateway`)}/default/steady`;

      await step(
        "without its socket the node is not Ready, says why, and serves functions",
        async () => {
          await site.agent(NODE, {
            hub: `127.0.0.1:${hub.nodePort}`,
            token,
            cri: containerd.socket,
            flags: [`--pod-cidr=${containerd.subnet}`],
          });
          await until("the node is not Ready and says why", async () => {
            const node: Node = await api.request("GET", `/api/v1/nodes/${NODE}`);
            const { status, message = "" } = conditionOf(node, "Ready") ?? {};
            return status === "False" && message.includes(containerd.socket);
          });
          await site.apply(hub.kubeconfig, ...textFunction("steady", "on"));
          await readyFunction(api, "steady");
          assert.equal(await call(url), "200 on");
        },
      );

      await step("the runtime appears: the node gets Ready and runs pods", async () => {
        await containerd.start();
        await ready("True");
        await site.apply(hub.kubeconfig, shellPod("steady", COUNT));
        await readyPod(api, "steady");
      });

      await step("the runtime is killed and returns: the pod is the one of before", async () => {
        const before = containersOf(await podsOf(api));
        await containerd.stop("SIGKILL");
        await ready("False");
        assert.equal(await call(url), "200 on");
        await containerd.start();
        await ready("True");
        await site.apply(hub.kubeconfig, shellPod("later", "sleep 1000"));
        await readyPod(api, "later");
        const now = containersOf(await podsOf(api));
        assert.equal(now["steady/main"], before["steady/main"]);
        assert.match(await site.kubectl(hub.kubeconfig, ["logs", "steady"]), /^line 0\nline 1\n/);
      });
    }),
});
