import assert from "node:assert/strict";
import { stringify } from "yaml";
import { testWasm } from "../../runner/harness.ts";
import { envelope, guest } from "../../runner/guests.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  call,
  containersOf,
  COUNT,
  podOf,
  podsOf,
  readyPod,
  shellPod,
  Site,
  stepsOf,
  textFunction,
} from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-alone";
/** A static pod's name ends in its node's. */
const POD = `counter-${NODE}`;

/** A function whose module is a file of the gateway. */
function fileFunction(): unknown {
  return {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "filed", namespace: "default" },
    spec: { source: { file: "filed.wasm" }, triggers: [{ http: { path: "/filed" } }] },
  };
}

Deno.test({
  name: `an agent without a hub runs pods and functions from manifests${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const root = `${site.folder}/${NODE}`;
      const write = async (name: string, ...objects: unknown[]): Promise<void> => {
        const text = objects.map((object) => stringify(object)).join("---\n");
        await Deno.writeTextFile(`${root}/manifests/${name}`, text);
      };
      await Deno.mkdir(`${root}/manifests`, { recursive: true });
      await Deno.mkdir(`${root}/functions`);
      const [containerd] = await Promise.all([site.containerd(), site.runner(NODE)]);
      const options = { cri: containerd.socket, flags: [`--pod-cidr=${containerd.subnet}`] };
      await write("counter.yaml", shellPod("counter", COUNT));
      await write("text.yaml", ...textFunction("text", "first"));
      let agent = await site.agent(NODE, options);
      const api = await site.client(agent.kubeconfig);
      const gateway = `http://127.0.0.1:${site.port(`${NODE}-gateway`)}`;

      await step("kubectl on the local API shows the pod and its logs", async () => {
        await readyPod(api, POD);
        const pods = await site.kubectl(agent.kubeconfig, ["get", "pods"]);
        assert.match(pods, new RegExp(`${POD}\\s+1/1\\s+Running\\s+0`));
        // It is ready as soon as its program runs, whatever that has said by then.
        await until("its first line is there", async () =>
          /^line 0\n/.test(await site.kubectl(agent.kubeconfig, ["logs", POD])));
        const logs = site.start(
          "kubectl logs",
          site.kubectlCommand(agent.kubeconfig, ["logs", "-f", POD]),
        );
        await logs.prints(/^line 3$/m);
        const seen = logs.output.trimEnd().split("\n").length;
        await logs.prints(new RegExp(`^line ${seen + 3}$`, "m"));
        await logs.kill();
        await until("its node is Ready", async () => {
          const nodes = await site.kubectl(agent.kubeconfig, ["get", "nodes"]);
          return new RegExp(`${NODE}\\s+Ready`).test(nodes);
        });
      });

      await step(
        "functions answer, from a ConfigMap and from a file, and follow changes",
        async () => {
          await until("text", async () =>
            await call(`${gateway}/default/text`) === "200 first");
          const answer = (256n << 32n) | 24n;
          const wasm = testWasm(
            guest(`(i64.const ${answer})`, `(data (i32.const 256) "${envelope("file")}")`),
          );
          await Deno.writeFile(`${root}/functions/filed.wasm`, wasm);
          await write("filed.yaml", fileFunction());
          await until("filed", async () => await call(`${gateway}/filed`) === "200 file");
          await write("text.yaml", ...textFunction("text", "second"));
          await until(
            "new text",
            async () => await call(`${gateway}/default/text`) === "200 second",
          );
          await Deno.remove(`${root}/manifests/filed.yaml`);
          await until("filed goes", async () => (await call(`${gateway}/filed`)).startsWith("404"));
        },
      );

      await step("the local API is for reading, and says so", async () => {
        const { code, err } = await site.tryKubectl(agent.kubeconfig, ["delete", "pod", POD]);
        assert.notEqual(code, 0);
        assert.match(err, /change the object at the hub, or in the manifests folder/);
        assert.ok(await podOf(api, POD));
      });

      await step("a manifest that cannot be read ends nothing; one that is gone does", async () => {
        await write("other.yaml", shellPod("other", "sleep 1000"));
        await readyPod(api, `other-${NODE}`);
        const before = containersOf(await podsOf(api));
        await Deno.writeTextFile(`${root}/manifests/counter.yaml`, "kind: [");
        await agent.process.prints(/manifest.*counter\.yaml/);
        await Deno.remove(`${root}/manifests/other.yaml`);
        await until("other ends", async () => !await podOf(api, `other-${NODE}`));
        const now = containersOf(await podsOf(api));
        assert.deepEqual(now, { [`${POD}/main`]: before[`${POD}/main`] });
        await write("counter.yaml", shellPod("counter", COUNT));
      });

      await step("a killed agent adopts; joined to a hub later, it goes on as before", async () => {
        const before = containersOf(await podsOf(api));
        await agent.process.kill();
        agent = await site.agent(NODE, options);
        await readyPod(api, POD);
        assert.deepEqual(containersOf(await podsOf(api)), before);
        agent.process.signal("SIGINT");
        assert.equal(await agent.process.exit(15), 0);
        assert.equal(await call(`${gateway}/default/text`), "200 second");

        const hub = await site.hub();
        const token = await site.token(hub, NODE);
        agent = await site.agent(NODE, { ...options, hub: `127.0.0.1:${hub.nodePort}`, token });
        const mirror = await readyPod(await site.client(hub.kubeconfig), POD);
        assert.equal(mirror.spec.nodeName, NODE);
        assert.deepEqual(containersOf(await podsOf(api)), before);
        assert.deepEqual(containersOf([mirror]), before);
        assert.match(await site.kubectl(hub.kubeconfig, ["logs", POD]), /^line 0\n/);
        assert.equal(await call(`${gateway}/default/text`), "200 second");
      });
    }),
});
