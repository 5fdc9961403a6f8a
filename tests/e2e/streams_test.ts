import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";
import { ExecClient } from "./streams_raw_lib.ts";
import { openStreams, PROTOCOLS, talk } from "./streams_lib.ts";
import {
  attaches,
  attachesTerminal,
  copies,
  crashPod,
  echoPod,
  execs,
  forwards,
  logs,
  SERVER,
  slowlyRead,
  terminal,
} from "./streams_verbs.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-streams";

Deno.test({
  name: `kubectl's streams work through the hub, and at the node when the link is cut${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const [containerd, hub] = await Promise.all([site.containerd(), site.hub()]);
      const api = await site.client(hub.kubeconfig);
      const token = await site.token(hub, NODE);
      const agent = await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token,
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      await site.apply(
        hub.kubeconfig,
        shellPod("web", SERVER),
        echoPod("echo-hub", false),
        echoPod("echo-local", false),
        echoPod("shell", true),
        crashPod("crash"),
      );
      for (const name of ["web", "echo-hub", "echo-local", "shell", "crash"]) {
        await readyPod(api, name);
      }

      const everything = async (kubeconfig: string, where: string): Promise<void> => {
        for (const [protocol, env] of Object.entries(PROTOCOLS)) {
          const place = { site, kubeconfig, env };
          const named = `${where} by ${protocol}`;
          await step(
            `exec ${named}: exit code, stderr, stdin, 100 MB of output`,
            () => execs(place),
          );
          await step(`exec -it ${named}: size, resize, Ctrl-C`, () => terminal(place));
          await step(`attach ${named}`, () => attaches(place, `echo-${where}`));
          await step(`attach -it ${named}`, () => attachesTerminal(place, "shell"));
          await step(`cp ${named}, both ways`, () => copies(place));
          await step(`port-forward ${named}, 20 downloads at once`, () => forwards(place));
        }
        await step(
          `logs at ${where}: -f, --previous, --limit-bytes`,
          () => logs({ site, kubeconfig, env: {} }),
        );
      };
      const slowly = async (kubeconfig: string, protocols: readonly string[]): Promise<void> => {
        const places = protocols.map((one) => ({ site, kubeconfig, env: PROTOCOLS[one] ?? {} }));
        await Promise.all(places.map(slowlyRead));
      };
      await everything(hub.kubeconfig, "hub");
      // By WebSocket an API server itself hangs up at once, and what is on its way is lost.
      await step("exec at the hub, slowly read: nothing is lost", () =>
        slowly(hub.kubeconfig, hub.embedded ? Object.keys(PROTOCOLS) : ["SPDY"]));

      await step("debug puts a container beside those that run, and attaches to it", async () => {
        const debug = talk(site, hub.kubeconfig, [
          ...["debug", "-i", "web", `--image=${TEST_IMAGES.busybox}`, "--image-pull-policy=Never"],
          ...[
            "--target=main",
            "-c",
            "looker",
            "--",
            "sh",
            "-c",
            "read go; ps | grep -c httpd; cat",
          ],
        ]);
        // What it prints before kubectl has attached, nobody sees.
        await debug.say("go\n");
        await debug.says(/^[1-9]\n/m);
        await debug.say("and it listens\n");
        await debug.says(/and it listens/);
        await debug.hush();
        assert.equal(await debug.exit(), 0);
        await until("its log has it", async () =>
          /and it listens/.test(
            await site.kubectl(hub.kubeconfig, ["logs", "web", "-c", "looker"]),
          ));
      });

      await step("the kubelet door and nodes/proxy answer for the node", async () => {
        const health = await site.kubectl(hub.kubeconfig, [
          ...["get", "--raw", `/api/v1/nodes/${NODE}/proxy/healthz`],
        ]);
        assert.equal(health, "ok");
        const pods = await api.request("GET", `/api/v1/nodes/${NODE}/proxy/pods`);
        assert.equal(pods.items.length, 5);
        const door = await ExecClient.open(hub.kubeconfig, await site.kubeletDoor(hub, NODE));
        const path = "/exec/default/web/main?command=sh&command=-c&command=echo%20hi%3B%20exit%204";
        using exec = await door.startAt(`${path}&output=1`);
        assert.deepEqual(await exec.finish(), { size: 3, stdout: "hi\n", exitCode: 4 });
      });

      await step("nothing is left open", async () => {
        await until("no stream is open", async () =>
          await openStreams(site, agent, hub) === 0);
      });

      await hub.process.kill();
      await everything(agent.kubeconfig, "local");
      await step("exec at the node, slowly read: nothing is lost", () =>
        slowly(agent.kubeconfig, Object.keys(PROTOCOLS)));
      await step("nothing is left open at the node", async () => {
        await until("no stream is open", async () =>
          await openStreams(site, agent) === 0);
      });
    }),
});
