import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { containersOf, podOf, podsOf, readyPod, shellPod, Site } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const json = (...objects: unknown[]): string =>
  objects.map((one) => JSON.stringify(one)).join("\n---\n");

Deno.test({
  name: `an agent without a hub runs the pods of its manifests folder${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const containerd = await site.containerd();
      const options = { cri: containerd.socket, flags: [`--pod-cidr=${containerd.subnet}`] };
      const folder = `${site.folder}/alone/manifests`;
      await Deno.mkdir(folder, { recursive: true });
      const env = [{
        name: "WORD",
        valueFrom: { configMapKeyRef: { name: "words", key: "word" } },
      }];
      const web = (script: string): unknown => {
        const pod = shellPod("web", script);
        Object.assign(pod["spec"].containers[0], { env });
        return pod;
      };
      const metadata = { name: "words", namespace: "default" };
      const words = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { word: "skerry" } };
      await Deno.writeTextFile(`${folder}/web.yaml`, json(words, web("echo $WORD; sleep 1000")));
      let agent = await site.agent("alone", options);
      let api = site.client(agent.kubeconfig);
      const first = await readyPod(api, "web-alone");
      assert.equal(await site.kubectl(agent.kubeconfig, ["logs", "web-alone"]), "skerry\n");

      // The agent dies, and its folder is not there when it is back: the pod goes on.
      const before = containersOf(await podsOf(api));
      await agent.process.kill();
      await Deno.rename(folder, `${folder}-away`);
      agent = await site.agent("alone", options);
      api = site.client(agent.kubeconfig);
      await Deno.mkdir(`${folder}-new`);
      await Deno.copyFile(`${folder}-away/web.yaml`, `${folder}-new/web.yaml`);
      await Deno.writeTextFile(`${folder}-new/probe.yaml`, json(shellPod("probe", "sleep 1000")));
      await Deno.rename(`${folder}-new`, folder);
      await readyPod(api, "probe-alone");
      await Deno.remove(`${folder}/probe.yaml`);
      await until("the probe is gone", async () => !await podOf(api, "probe-alone"));
      assert.deepEqual(containersOf(await podsOf(api)), before);

      // A changed manifest is a new pod, a removed one ends it.
      await Deno.writeTextFile(`${folder}/web.yaml`, json(words, web("echo new; sleep 1000")));
      await until("the new pod runs", async () => {
        const pod = await podOf(api, "web-alone");
        return pod?.metadata.uid !== first.metadata.uid && pod?.status?.phase === "Running";
      });
      assert.equal(await site.kubectl(agent.kubeconfig, ["logs", "web-alone"]), "new\n");
      await Deno.remove(`${folder}/web.yaml`);
      await until("the pod is gone", async () => (await podsOf(api)).length === 0);
      await until("so are its containers", async () => {
        return (await containerd.ctr("containers", "ls", "-q")).trim() === "";
      });
    }),
});
