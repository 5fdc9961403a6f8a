import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { BUNDLE } from "../../cli/agent_main.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  call,
  containersOf,
  COUNT,
  nodeReady,
  podOf,
  podsOf,
  readyFunction,
  readyPod,
  shellPod,
  Site,
  stepsOf,
  textFunction,
} from "./gateway_lib.ts";
import { childrenOf, type Running, signalId, until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "libwasmtime", "bundle");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-hurt";

/** The id of the part that a launcher runs. */
async function partOf(launcher: Running, entry: string): Promise<number> {
  return await until(`${entry} runs`, async () => {
    const found = (await childrenOf(launcher.pid)).filter(({ command }) => command.includes(entry));
    return found[0]?.pid;
  });
}

/** Kills the part that a launcher runs and waits for the one that it starts instead. */
async function killPart(launcher: Running, entry: string): Promise<void> {
  const before = await partOf(launcher, entry);
  signalId(before, "SIGKILL");
  await until(`${entry} runs again`, async () => await partOf(launcher, entry) !== before);
}

/** A pod that ends well as soon as the test's file `go` is there. */
function waitingPod(site: Site, name: string): unknown {
  const script = "until [ -f /flags/go ]; do sleep 0.1; done";
  const pod = shellPod(name, script, { restartPolicy: "Never" });
  pod["spec"].containers[0].volumeMounts = [{ name: "flags", mountPath: "/flags" }];
  pod["spec"].volumes = [{ name: "flags", hostPath: { path: `${site.folder}/flags` } }];
  return pod;
}

Deno.test({
  name: `an agent or a runner that is killed costs no container its life${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      await Deno.mkdir(`${site.folder}/flags`);
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const [token, runner] = await Promise.all([site.token(hub, NODE), site.runner(NODE)]);
      const options = {
        hub: `127.0.0.1:${hub.nodePort}`,
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      };
      let agent = await site.agent(NODE, { ...options, token });
      await site.apply(
        hub.kubeconfig,
        ...textFunction("steady", "on"),
        shellPod("steady", COUNT),
        waitingPod(site, "waits"),
      );
      for (const name of ["steady", "waits"]) await readyPod(api, name);
      await readyFunction(api, "steady");
      const before = containersOf(await podsOf(api));
      const url = `http://127.0.0.1:${site.port(`${NODE}-gateway`)}/default/steady`;
      const tasks = async (): Promise<string[]> =>
        (await containerd.ctr("tasks", "ls", "-q")).split("\n").sort();
      const running = await tasks();

      /** The hub has a new session, and the pods are the ones of before. */
      const adopted = async (): Promise<void> => {
        await until("the link is back", () => site.linked(hub, NODE));
        await until("node Ready", async () => await nodeReady(api, NODE) === "True");
        // A new pod shows that the agent has looked at everything.
        const name = `probe-${crypto.randomUUID().slice(0, 8)}`;
        await site.apply(hub.kubeconfig, shellPod(name, "sleep 1000"));
        await readyPod(api, name);
        await site.kubectl(hub.kubeconfig, ["delete", "pod", name, "--timeout=20s"]);
        const pods = (await podsOf(api)) as Pod[];
        assert.deepEqual(containersOf(pods), before);
        assert.match(await site.kubectl(hub.kubeconfig, ["logs", "steady"]), /^line 0\nline 1\n/);
      };

      await step("the agent is killed: its launcher starts it again, and it adopts", async () => {
        await killPart(agent.process, BUNDLE);
        assert.equal(await call(url), "200 on");
        await adopted();
        await until("nothing else runs", async () => `${await tasks()}` === `${running}`);
      });

      await step(
        "agent and launcher are killed: containers stay, the next start adopts",
        async () => {
          await agent.process.kill();
          await until("the hub knows", async () => !await site.linked(hub, NODE));
          assert.deepEqual(await tasks(), running);
          assert.equal(await call(url), "200 on");
          agent = await site.agent(NODE, options);
          await adopted();
        },
      );

      await step("a pod that ended while the agent was away is told as what it did", async () => {
        await agent.process.kill();
        await Deno.writeTextFile(`${site.folder}/flags/go`, "");
        await until("its container ended", async () => (await tasks()).length < running.length);
        agent = await site.agent(NODE, options);
        const pod = await until("it has succeeded", async () => {
          const found = await podOf(api, "waits");
          return found?.status?.phase === "Succeeded" && found;
        });
        const [status] = pod.status?.containerStatuses ?? [];
        assert.equal(status?.state.terminated?.exitCode, 0);
        assert.equal(status?.restartCount, 0);
        assert.equal(containersOf(await podsOf(api))["steady/main"], before["steady/main"]);
      });

      await step("the runner is killed: its functions answer again", async () => {
        await killPart(runner, "runner/main.ts");
        await until("the function answers", async () => await call(url) === "200 on", 15);
        await readyFunction(api, "steady");
        await site.apply(hub.kubeconfig, ...textFunction("later", "new"));
        await readyFunction(api, "later");
        assert.equal(await call(url.replace("steady", "later")), "200 new");
      });
    }),
});
