import assert from "node:assert/strict";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import type { Node, Pod } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { TestPlugin } from "../../tools/deviceplugin/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { podOf, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "device-plugin");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-dev";
const RESOURCE = "example.com/fake";

/** Says what it got, then runs until the file `name.end` is there, and restarts. */
function devicePod(site: Site, name: string, count: number, spec: Record<string, unknown> = {}) {
  const script = `echo "ids $SKERRY_TEST_DEVICES own $OWN"; cat /device-file; ` +
    "head -c 3 /dev/fake-zero | od -An -tx1; echo gone > /dev/fake-null && echo null; " +
    `until [ -f /flags/${name}.end ]; do sleep 0.1; done; rm /flags/${name}.end`;
  const pod = shellPod(name, script, spec);
  const [container] = pod["spec"].containers;
  container.resources = { limits: { [RESOURCE]: String(count) } };
  container.env = [{ name: "OWN", value: "mine" }];
  container.volumeMounts = [{ name: "flags", mountPath: "/flags" }];
  pod["spec"].volumes = [{ name: "flags", hostPath: { path: `${site.folder}/flags` } }];
  return pod;
}

Deno.test({
  name: `devices of a real device plugin reach the pods that ask for them${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      await Deno.mkdir(`${site.folder}/flags`);
      const folder = `${site.folder}/device-plugins`;
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const token = await site.token(hub, NODE);
      const options = {
        hub: `127.0.0.1:${hub.nodePort}`,
        cri: containerd.socket,
        flags: [
          `--pod-cidr=${containerd.subnet}`,
          `--device-plugins=${folder}`,
          `--host-paths=${site.folder}/flags`,
        ],
      };
      let agent = await site.agent(NODE, { ...options, token });

      const amounts = async (): Promise<string> => {
        const node: Node = await api.request("GET", `/api/v1/nodes/${NODE}`);
        const { capacity = {}, allocatable = {} } = node.status ?? {};
        return `${capacity[RESOURCE]}/${allocatable[RESOURCE]}`;
      };
      const shows = (want: string) =>
        until(`the node has ${want}`, async () => await amounts() === want);
      const register = async (...flags: string[]): Promise<TestPlugin> => {
        await until("kubelet.sock is there", async () =>
          await Deno.lstat(`${folder}/kubelet.sock`).catch(() => undefined));
        const plugin = site.hold(await TestPlugin.start(folder, flags));
        await plugin.says(({ registered }) =>
          registered === true
        );
        return plugin;
      };
      const logs = (name: string, ...flags: string[]) =>
        site.kubectl(hub.kubeconfig, ["logs", name, ...flags]);
      const restarts = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0]?.restartCount;
      let plugin = await register();

      await step("the node has the plugin's devices, without sick ones", async () => {
        await shows("4/4");
        await plugin.tell("sick dev-3");
        await shows("4/3");
        await plugin.tell("well dev-3");
        await shows("4/4");
      });

      await step("a pod gets variables, mounts, device nodes and annotations", async () => {
        await site.apply(hub.kubeconfig, devicePod(site, "one", 2));
        await readyPod(api, "one");
        const hostname = (await Deno.readTextFile("/etc/hostname")).trim();
        await until("the log is there", async () => (await logs("one")).includes("null"));
        assert.deepEqual((await logs("one")).trim().split("\n"), [
          "ids dev-0,dev-1 own mine",
          hostname,
          " 00 00 00",
          "null",
        ]);
        await using runtime = createCriRuntime({
          socketPath: containerd.socket,
          clock: systemClock,
          log: silentLogger,
        });
        const { containers } = await runtime.observe(new AbortController().signal);
        const annotations = containers.map((one) => one.annotations["example.com/devices"]);
        assert.deepEqual(annotations, ["dev-0,dev-1"]);
      });

      await step("the scheduler counts them, and what a pod had is free at its end", async () => {
        await site.apply(hub.kubeconfig, devicePod(site, "two", 3));
        await until("it is not scheduled", async () => {
          const { conditions = [] } = (await podOf(api, "two"))?.status ?? {};
          return conditions.some(({ reason, message }) =>
            reason === "Unschedulable" && message?.includes(RESOURCE)
          );
        });
        await site.kubectl(hub.kubeconfig, ["delete", "pod", "one", "--wait=true"]);
        await readyPod(api, "two");
        await until("the log is there", async () => (await logs("two")).includes("null"));
        assert.match(await logs("two"), /^ids dev-0,dev-1,dev-2 own mine/);
      });

      await step("devices survive the agent, also when the container restarts", async () => {
        await agent.process.kill();
        agent = await site.agent(NODE, options);
        await Deno.writeTextFile(`${site.folder}/flags/two.end`, "");
        // The plugin's socket went with the agent's start, and this plugin does not look.
        await until("it has restarted", async () => restarts(await podOf(api, "two")) === 1);
        await readyPod(api, "two");
        await until("the log is there", async () => (await logs("two")).includes("null"));
        assert.match(await logs("two"), /^ids dev-0,dev-1,dev-2 own mine/);
        assert.equal(plugin.lines.filter(({ call }) => call === "Allocate").length, 2);
      });

      await step("a pod waits for a plugin that is not there, then runs", async () => {
        await site.apply(hub.kubeconfig, devicePod(site, "bound", 1, { nodeName: NODE }));
        await until("it waits", async () => {
          const { state } = (await podOf(api, "bound"))?.status?.containerStatuses?.[0] ?? {};
          return state?.waiting?.message?.includes("no device plugin for example.com/fake");
        });
        plugin = await register();
        await readyPod(api, "bound");
        await until("the log is there", async () => (await logs("bound")).includes("null"));
        assert.match(await logs("bound"), /^ids dev-3 own mine/);
        await shows("4/4");
      });

      await step("a pod for which there are too few fails as with a kubelet", async () => {
        await site.apply(hub.kubeconfig, devicePod(site, "late", 2, { nodeName: NODE }));
        const { status } = await until("it fails", async () => {
          const pod = await podOf(api, "late");
          return pod?.status?.phase === "Failed" && pod;
        });
        assert.equal(status?.reason, "UnexpectedAdmissionError");
        assert.match(status?.message ?? "", /Requested: 2, Available: 0, which is unexpected/);
      });

      await step("a plugin that goes leaves capacity alone", async () => {
        await plugin[Symbol.asyncDispose]();
        await shows("4/0");
        const { phase } = (await podOf(api, "two"))?.status ?? {};
        assert.equal(phase, "Running");
      });
    }),
});
