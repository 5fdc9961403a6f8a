import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { call, isReady, podOf, podsOf, readyPod, Site, stepsOf } from "./gateway_lib.ts";
import { runToEnd, until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-manifests";
const FOLDER = new URL("./manifests/", import.meta.url);

/** A manifest as it lies in the folder; `<folder>` is the site's. */
async function manifest(site: Site, name: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(`${name}.yaml`, FOLDER));
  return text.replaceAll("<folder>", site.folder);
}

Deno.test({
  name: `ordinary manifests run unchanged${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const agent = await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      const kubectl = (...args: string[]): Promise<string> => site.kubectl(hub.kubeconfig, args);
      const apply = async (name: string): Promise<void> => {
        const stdin = await manifest(site, name);
        await site.kubectl(hub.kubeconfig, ["apply", "-f", "-"], { stdin });
      };
      const remove = async (name: string): Promise<void> => {
        const stdin = await manifest(site, name);
        await site.kubectl(hub.kubeconfig, ["delete", "-f", "-", "--timeout=20s"], { stdin });
      };
      const phase = async (name: string, want: string): Promise<Pod> =>
        await until(`${name} is ${want}`, async () => {
          const pod = await podOf(api, name);
          if (pod?.status?.phase !== want) throw new Error(JSON.stringify(pod?.status));
          return pod;
        });

      /** Waits for a log: a runtime may still be writing when a pod is ready, or has ended. */
      const says = async (want: string, ...args: string[]): Promise<void> => {
        await until(`${args.join(" ")} says ${want}`, async () => {
          assert.equal(await kubectl("logs", ...args), want);
          return true;
        });
      };

      await step("a Deployment with probes, limits, configuration and a host port", async () => {
        await apply("deployment");
        const pod = await until("its pod is ready", async () => {
          const [found] = await podsOf(api, "app=web");
          if (!isReady(found)) throw new Error(JSON.stringify(found?.status?.containerStatuses));
          return found;
        });
        assert.equal(await call("http://127.0.0.1:31880/"), "200 hello from the config\n");
        assert.equal(await call("http://127.0.0.1:31880/started"), "200 started\n");
        const shell = (script: string): Promise<string> =>
          kubectl("exec", pod?.metadata.name ?? "", "-c", "web", "--", "sh", "-c", script);
        assert.equal(
          await shell("echo $MODE $PASSWORD $POD_IP $MEMORY; cat /etc/secret/password"),
          `plain s3cret-of-web ${pod?.status?.podIP} 64\ns3cret-of-web`,
        );
        assert.match(await shell("stat -L -c %a /etc/secret/password"), /^440$/m);
        assert.match(await shell("cat /proc/mounts"), / \/etc\/secret tmpfs /);
        await kubectl("patch", "configmap", "web-config", "-p", '{"data":{"mode":"fancy"}}');
        await until(
          "the file changes",
          async () => await shell("cat /etc/web/mode") === "fancy",
        );
        await until("its address is in the Service's slice", async () => {
          const addresses = await kubectl("get", "endpointslices", "-o", "jsonpath={..addresses}");
          return addresses.includes(`"${pod?.status?.podIP}"`);
        });
        await remove("deployment");
        await until("its pod is gone", async () => (await podsOf(api, "app=web")).length === 0);
      });

      await step("a pod as a StatefulSet makes it", async () => {
        await apply("statefulset_pod");
        await readyPod(api, "db-0");
        await says("db-0\ndb-0.db.default.svc.cluster.local\n", "db-0");
        assert.equal(await kubectl("exec", "db-0", "--", "ls", "/data"), "");
        await remove("statefulset_pod");
      });

      await step("a DaemonSet with host network and host paths", async () => {
        await apply("daemonset");
        const pod = await until("its pod is ready", async () => {
          const [found] = await podsOf(api, "app=watcher");
          if (!isReady(found)) throw new Error(JSON.stringify(found?.status?.containerStatuses));
          return found;
        });
        assert.equal(pod?.status?.podIP, pod?.status?.hostIP);
        // Without a probe it is ready before its first command is done.
        await until("it has left its mark", async () => {
          assert.equal(await Deno.readTextFile(`${site.folder}/state/made/mark`), "seen\n");
          return true;
        });
        assert.equal(
          await kubectl("exec", "daemonset/watcher", "--", "sh", "-c", "echo $NODE"),
          `${NODE}\n`,
        );
        await remove("daemonset");
      });

      await step("a pod as a Job makes it", async () => {
        await apply("job_pod");
        const pod = await phase("pi-7xk2p", "Succeeded");
        const [status] = pod.status?.containerStatuses ?? [];
        assert.equal(status?.state.terminated?.message, "done\n");
        await says("3.14159\n", "pi-7xk2p");
        await remove("job_pod");
      });

      await step("a pod with a sidecar ends when its main container has", async () => {
        await apply("sidecar_pod");
        await phase("with-sidecar", "Succeeded");
        await says("served\nserved\n", "with-sidecar", "-c", "main");
        await remove("sidecar_pod");
      });

      await step(
        "skerry check says what is well, and which CNI configuration is missing",
        async () => {
          const check = async (): Promise<string> => {
            const verb = ["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts", "check"];
            const command = [Deno.execPath(), ...verb, `--kubeconfig=${agent.kubeconfig}`];
            const { code, out } = await runToEnd(command);
            // This site has no runner, and check says so.
            assert.equal(code, 1);
            return out;
          };
          assert.match(
            await check(),
            /^ok +network +pods get a network by CNI, configured in \S+$/m,
          );
          assert.match(await check(), /^FAIL +runner +no runner answers/m);
          const config = `${containerd.paths.cni}/10-skerry.conflist`;
          const text = await Deno.readTextFile(config);
          await Deno.remove(config);
          await until(
            "the network is missed",
            async () =>
              (await check()).includes(`put a CNI configuration in ${containerd.paths.cni}`),
          );
          await Deno.writeTextFile(config, text);
          await until("it is back", async () => /^ok +network /m.test(await check()));
        },
      );

      await step("a static pod", async () => {
        const file = `${site.folder}/${NODE}/manifests/local.yaml`;
        await Deno.mkdir(`${site.folder}/${NODE}/manifests`, { recursive: true });
        await Deno.writeTextFile(file, await manifest(site, "static_pod"));
        await readyPod(api, `local-${NODE}`);
        await says("local is here\n", `local-${NODE}`);
        assert.equal(await kubectl("exec", `local-${NODE}`, "--", "echo", "hi"), "hi\n");
        await Deno.remove(file);
        await until("it is gone", async () => await podOf(api, `local-${NODE}`) === undefined);
      });
    }),
});
