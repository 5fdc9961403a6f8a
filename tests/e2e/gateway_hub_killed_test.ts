import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { systemClock } from "../../core/base/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  type AgentAt,
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
import { TestNetwork } from "./gateway_net_lib.ts";
import { type Running, until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "netns", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-far";
/** Three heartbeats of 3.3 s, and some for a busy machine. */
const NOTICED = 14;
/** The 3 s after which an agent dials anew a hub that refused it, and some for a busy machine. */
const BACK = 12;

/** A pod that sees the folder `flags` of the test as /flags. */
function flagPod(site: Site, name: string, script: string, restartPolicy: string): unknown {
  const pod = shellPod(name, script, { restartPolicy });
  const [container] = pod["spec"].containers;
  container.volumeMounts = [{ name: "flags", mountPath: "/flags" }];
  pod["spec"].volumes = [{ name: "flags", hostPath: { path: `${site.folder}/flags` } }];
  return pod;
}

/** Ends well when the flag appears. */
const endsAt = (flag: string): string => `until [ -f /flags/${flag} ]; do sleep 0.1; done; exit 0`;
/** Fails once when the flag appears, and stays up when it is started again. */
const FAILS_ONCE = "[ -f /flags/failed ] && exec sleep 1000; " +
  "until [ -f /flags/first ]; do sleep 0.1; done; touch /flags/failed; exit 3";

/** Asks an address for ever, 20 times a second, and prints what is not the answer. */
function traffic(site: Site, url: string, answer: string, netns: string): Running {
  const script = `
    for (let count = 1;; count++) {
      try {
        const response = await fetch(${JSON.stringify(url)});
        const text = await response.text();
        if (text !== ${JSON.stringify(answer)}) console.log("BAD", response.status, text);
      } catch (error) {
        console.log("BAD", String(error));
      }
      if (count % 20 === 0) console.log("count", count);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }`;
  return site.start("traffic", [Deno.execPath(), "eval", "--quiet", script], { netns });
}

/** The requests of {@linkcode traffic} go on and all are answered. */
async function goesOn(requests: Running): Promise<void> {
  const before = requests.output.length;
  await until("requests are answered", () => requests.output.slice(before).includes("count"));
  assert.doesNotMatch(requests.output, /BAD/);
}

function phaseOf(pods: readonly Pod[], name: string): string | undefined {
  return pods.find((pod) => pod.metadata.name === name)?.status?.phase;
}

/** What the agent itself says about its link. */
async function linkUp(agent: AgentAt, netns: string): Promise<boolean> {
  const metrics = await call(`http://127.0.0.1:${agent.metricsPort}/metrics`, netns);
  return /^skerry_agent_link_up (\d)$/m.exec(metrics)?.[1] === "1";
}

Deno.test({
  name: `a hub that is killed, and a link that is cut, change nothing at the gateway${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      await Deno.mkdir(`${site.folder}/flags`);
      const flag = (name: string): Promise<void> =>
        Deno.writeTextFile(`${site.folder}/flags/${name}`, "");
      const containerd = await site.containerd();
      const network = site.hold(await TestNetwork.open());
      const place = await network.add();
      const { netns } = place;
      let hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const [token] = await Promise.all([site.token(hub, NODE), site.runner(NODE, netns)]);
      const agent = await site.agent(NODE, {
        hub: `${network.address}:${hub.nodePort}`,
        token,
        cri: containerd.socket,
        netns,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      const local = async (): Promise<Pod[]> =>
        JSON.parse(
          await site.kubectl(agent.kubeconfig, ["get", "pods", "-o", "json"], { netns }),
        ).items;
      await site.apply(
        hub.kubeconfig,
        ...textFunction("steady", "on"),
        shellPod("steady", COUNT),
        flagPod(site, "first", endsAt("first"), "Never"),
        flagPod(site, "second", endsAt("second"), "Never"),
        flagPod(site, "fails", FAILS_ONCE, "Always"),
      );
      for (const name of ["steady", "first", "second", "fails"]) await readyPod(api, name);
      await readyFunction(api, "steady");
      const before = containersOf(await podsOf(api));
      const steady = async (): Promise<void> => {
        const now = containersOf(await podsOf(api));
        assert.equal(now["steady/main"], before["steady/main"]);
      };
      const gateway = `http://127.0.0.1:${site.port(`${NODE}-gateway`)}`;
      const requests = traffic(site, `${gateway}/default/steady`, "on", netns);
      await goesOn(requests);

      await step("the hub is killed: functions answer, pods run, end and restart", async () => {
        await hub.process.kill();
        await flag("first");
        await until("the local API shows what happened", async () => {
          const pods = await local();
          const fails = pods.find(({ metadata }) => metadata.name === "fails");
          const [status] = fails?.status?.containerStatuses ?? [];
          return phaseOf(pods, "first") === "Succeeded" && status?.restartCount === 1 &&
            status.state.running !== undefined;
        });
        await goesOn(requests);
      });

      await step("the hub returns: every status is right within seconds", async () => {
        hub = await site.hub();
        const back = systemClock.now();
        await until("right statuses", async () => {
          const pods = await podsOf(api);
          const now = containersOf(pods);
          return phaseOf(pods, "first") === "Succeeded" &&
            now["fails/main"]?.endsWith("restarts=1") && await site.linked(hub, NODE);
        }, BACK);
        await until("node Ready", async () => await nodeReady(api, NODE) === "True");
        await until("the lease is renewed", async () => {
          const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${NODE}`;
          return Date.parse((await api.request("GET", path)).spec.renewTime) >= back;
        });
        await steady();
        assert.match(await site.kubectl(hub.kubeconfig, ["logs", "steady"]), /^line 0\nline 1\n/);
        await site.apply(hub.kubeconfig, shellPod("later", "sleep 1000"));
        await readyPod(api, "later");
        await goesOn(requests);
      });

      await step("a silent cut is noticed by both sides within three heartbeats", async () => {
        await place.cut(true);
        await flag("second");
        await Promise.all([
          until("the hub notices", async () => !await site.linked(hub, NODE), NOTICED),
          until("the agent notices", async () => !await linkUp(agent, netns), NOTICED),
        ]);
        assert.equal(phaseOf(await podsOf(api), "second"), "Running");
        await until("the local API shows what happened", async () =>
          phaseOf(await local(), "second") === "Succeeded");
        const logs = await site.tryKubectl(hub.kubeconfig, ["logs", "steady"]);
        assert.notEqual(logs.code, 0);
        assert.match(logs.err, new RegExp(NODE));
        await goesOn(requests);
      });

      await step("the link returns by itself, and what changed is told", async () => {
        await place.cut(false);
        await until("the link is back", () =>
          site.linked(hub, NODE), 20);
        await until("right status", async () => {
          return (await podOf(api, "second"))?.status?.phase === "Succeeded";
        });
        await until("node Ready", async () => await nodeReady(api, NODE) === "True");
        await steady();
        await site.kubectl(hub.kubeconfig, ["logs", "steady", "--tail=1"]);
        await goesOn(requests);
      });
    }),
});
