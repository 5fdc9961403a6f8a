import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import {
  containersOf,
  COUNT,
  isReady,
  podOf,
  podsOf,
  readyPod,
  shellPod,
  Site,
} from "./gateway_lib.ts";
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
      let api = await site.client(agent.kubeconfig);
      const first = await readyPod(api, "web-alone");
      // It is ready as soon as its program runs, whatever that has said by then.
      const says = (text: string): Promise<unknown> =>
        until(`the pod says ${text}`, async () =>
          await site.kubectl(agent.kubeconfig, ["logs", "web-alone"]) === `${text}\n`);
      await says("skerry");

      // The agent dies, and its folder is not there when it is back: the pod goes on.
      const before = containersOf(await podsOf(api));
      await agent.process.kill();
      await Deno.rename(folder, `${folder}-away`);
      agent = await site.agent("alone", options);
      api = await site.client(agent.kubeconfig);
      await Deno.mkdir(`${folder}-new`);
      await Deno.copyFile(`${folder}-away/web.yaml`, `${folder}-new/web.yaml`);
      await Deno.writeTextFile(`${folder}-new/probe.yaml`, json(shellPod("probe", "sleep 1000")));
      await Deno.rename(`${folder}-new`, folder);
      await readyPod(api, "probe-alone");
      await Deno.remove(`${folder}/probe.yaml`);
      await until("the probe is gone", async () =>
        !await podOf(api, "probe-alone"));
      assert.deepEqual(containersOf(await podsOf(api)), before);

      // A changed manifest is a new pod, a removed one ends it.
      await Deno.writeTextFile(`${folder}/web.yaml`, json(words, web("echo new; sleep 1000")));
      await until("the new pod runs", async () => {
        const pod = await podOf(api, "web-alone");
        return pod?.metadata.uid !== first.metadata.uid && pod?.status?.phase === "Running";
      });
      await says("new");
      await Deno.remove(`${folder}/web.yaml`);
      await until("the pod is gone", async () => (await podsOf(api)).length === 0);
      await until("so are its containers", async () => {
        return (await containerd.ctr("containers", "ls", "-q")).trim() === "";
      });
    }),
});

Deno.test({
  name:
    `a static pod's mirror comes back at once when it is deleted, and no taint ends it${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const containerd = await site.containerd();
      const hub = await site.hub();
      const options = {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, "gw"),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      };
      const folder = `${site.folder}/gw/manifests`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(`${folder}/st.yaml`, json(shellPod("st", "sleep 1000")));
      await site.agent("gw", options);
      const api = await site.client(hub.kubeconfig);
      const kubectl = (...args: string[]) => site.kubectl(hub.kubeconfig, args);
      let mirror = await readyPod(api, "st-gw");
      const running = await containerd.ctr("tasks", "ls", "-q");
      const anew = async (): Promise<void> => {
        mirror = await until("there is another mirror", async () => {
          const pod = await podOf(api, "st-gw");
          const { uid, deletionTimestamp } = pod?.metadata ?? {};
          return uid !== mirror.metadata.uid && !deletionTimestamp && isReady(pod) && pod;
        }, 15);
      };
      await kubectl("delete", "pod", "st-gw", "--timeout=25s");
      await anew();
      await kubectl("delete", "pod", "st-gw", "--force", "--grace-period=0");
      await anew();

      await site.apply(hub.kubeconfig, {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web", namespace: "default" },
        spec: {
          replicas: 3,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web" } },
            spec: shellPod("web", COUNT)["spec"],
          },
        },
      });
      const web = async () =>
        (await podsOf(api)).filter(({ metadata }) => metadata.labels?.["app"] === "web");
      await until("all run", async () => (await web()).filter(isReady).length === 3, 30);
      const old = new Set((await web()).map(({ metadata }) => metadata.uid));
      await kubectl("taint", "node", "gw", "repair=x:NoExecute");
      await until("none is left", async () => {
        const pods = await web();
        return pods.length === 3 && pods.every(({ metadata }) => !old.has(metadata.uid));
      }, 60);
      await kubectl("taint", "node", "gw", "repair=x:NoExecute-");
      await until("all run again", async () => (await web()).filter(isReady).length === 3, 30);
      assert.deepEqual(
        (await web()).map(({ status }) => status?.reason ?? status?.phase),
        Array(3).fill("Running"),
      );
      const kept = await podOf(api, "st-gw");
      assert.equal(kept?.metadata.uid, mirror.metadata.uid);
      assert.equal(kept?.metadata.deletionTimestamp, undefined);
      const tasks = await containerd.ctr("tasks", "ls", "-q");
      const still = running.trim().split("\n").filter((id) => !tasks.includes(id));
      assert.deepEqual(still, [], "the static pod was never touched");
    }),
});
