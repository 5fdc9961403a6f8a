// kubectl's streaming verbs through a real API server, which speaks to the hub as to a kubelet.
import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { readEndpoint } from "../../core/kube/mod.ts";
import { createWsDialer, type Credentials } from "../../core/link/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { podsOf, readyPod, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { Fatal, until } from "../e2e/gateway_process_lib.ts";
import { noise, openStreams, sha256, talk } from "../e2e/streams_lib.ts";
import { crashPod, echoPod, logs, SERVER } from "../e2e/streams_verbs.ts";
import { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";

const missing = lacks("kube", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const DEBUG = [`--image=${TEST_IMAGES.busybox}`, "--image-pull-policy=Never"];

/** Ends when it is told to; its second run stays. */
const TWICE = "if [ -e /data/go ]; then echo second; sleep 1000; fi; echo first; " +
  "until [ -e /data/go ]; do sleep 0.05; done; echo last; exit 3";

function twicePod(name: string): unknown {
  const pod = crashPod(name);
  const [container] = (pod["spec"] as { containers: object[] }).containers;
  Object.assign(container ?? {}, { command: ["sh", "-c", TWICE] });
  return pod;
}

Deno.test({
  name: `kubectl's streams and debug pods work on a real cluster${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const containerd = await site.containerd();
      const hub = await site.hubOn(cluster.parts.kubeconfig);
      const { kubeconfig } = hub;
      const api = await site.client(kubeconfig);
      const kubectl = (...args: string[]) => site.kubectl(kubeconfig, args);
      const agent = await joinGateway(site, { name: "gw", hub, api, containerd });
      await cluster.untilPodsCanBeMade("default");
      await site.apply(
        kubeconfig,
        shellPod("web", SERVER),
        echoPod("echo", false),
        crashPod("crash"),
        twicePod("twice"),
      );
      for (const name of ["web", "echo", "crash", "twice"]) await readyPod(api, name);

      await step("64 MB of standard input", async () => {
        const data = noise(64_000_000);
        const sum = talk(site, kubeconfig, ["exec", "-i", "web", "--", "sha256sum"]);
        await sum.say(data);
        await sum.hush();
        assert.equal(await sum.exit(180), 0, sum.err);
        assert.equal(sum.out, `${await sha256(data)}  -\n`);
      });
      await step("logs: -f, --previous, --limit-bytes", () => logs({ site, kubeconfig, env: {} }));

      await step("logs --since leaves out what is older", async () => {
        await until("the last lines", async () => {
          const before = Date.now();
          const text = await kubectl("logs", "web", "--since=2s", "--timestamps");
          const lines = text.split("\n").filter((line) => line !== "");
          const stamps = lines.map((line) => Date.parse(line.split(" ")[0] ?? ""));
          if (stamps.some((stamp) => stamp < before - 2000)) throw new Fatal(text);
          return stamps.length >= 2;
        });
      });

      await step("logs -f ends with the container that it follows", async () => {
        const follow = talk(site, kubeconfig, ["logs", "-f", "twice"]);
        await follow.says(/first/);
        await kubectl("exec", "twice", "--", "touch", "/data/go");
        assert.equal(await follow.exit(), 0);
        assert.equal(follow.out, "first\nlast\n");
        await until("it runs again", async () => {
          const twice = (await podsOf(api)).find(({ metadata }) => metadata.name === "twice");
          const [one] = twice?.status?.containerStatuses ?? [];
          return one?.restartCount === 1 && one.state?.running !== undefined;
        });
        const next = talk(site, kubeconfig, ["logs", "-f", "twice"]);
        await next.says(/^second\n/);
        await next.kill();
        assert.equal(await kubectl("logs", "--previous", "twice"), "first\nlast\n");
      });

      await step("debug puts a container beside those that run, and attaches to it", async () => {
        const debug = talk(site, kubeconfig, [
          ...["debug", "-i", "web", ...DEBUG, "--target=main", "-c", "looker", "--"],
          ...["sh", "-c", "read go; ps | grep -c httpd; cat"],
        ]);
        await debug.say("go\n");
        await debug.says(/^[1-9]\n/m);
        await debug.say("and it listens\n");
        await debug.says(/and it listens/);
        await debug.hush();
        assert.equal(await debug.exit(), 0, debug.err);
        await until(
          "its log",
          async () => /and it listens/.test(await kubectl("logs", "web", "-c", "looker")),
        );
        assert.equal((await readyPod(api, "web")).status?.containerStatuses?.[0]?.restartCount, 0);
      });

      await step("debug --copy-to makes a pod of its own", async () => {
        await kubectl(
          ...["debug", "echo", ...DEBUG, "--copy-to=copy", "--container=main", "--same-node"],
          ...["--", "sh", "-c", "echo copied; sleep 1000"],
        );
        await readyPod(api, "copy");
        await until("its log", async () => await kubectl("logs", "copy") === "copied\n");
      });

      await step("a log by WebSocket is whole", async () => {
        const { server, ca = "", credential } = await readEndpoint(kubeconfig);
        const { certificate: cert = "", key = "" } = credential ?? {};
        const credentials = (): Credentials => ({ ca, cert, key });
        const { host: hub } = new URL(server);
        const dialer = createWsDialer({ hub, credentials, clock: systemClock });
        const path = "/api/v1/namespaces/default/pods/copy/log";
        // Whether the last words and the end come together is chance.
        for (const _ of [1, 2, 3, 4, 5]) {
          const connection = await dialer.dial(path, AbortSignal.timeout(20_000));
          let text = "";
          for (let one = await connection.receive(); one; one = await connection.receive()) {
            text += typeof one === "string" ? one : new TextDecoder().decode(one);
          }
          assert.equal(text, "copied\n");
        }
      });

      await step("run -i --rm: what it prints, how it ends, and that it is gone", async () => {
        const run = talk(site, kubeconfig, [
          ...["run", "once", "-i", "--rm", "--restart=Never", "--quiet", ...DEBUG, "--"],
          ...["sh", "-c", "read word; echo got $word; exit 6"],
        ]);
        await run.say("it\n");
        await run.hush();
        assert.equal(await run.exit(), 6, run.err);
        assert.match(run.out, /got it/);
        const names = (await podsOf(api)).map(({ metadata }) => metadata.name);
        assert.ok(!names.includes("once"), names.join());
      });

      await step("debug node/NAME runs a pod in the gateway's own namespaces", async () => {
        const debug = talk(site, kubeconfig, [
          ...["debug", "-i", "node/gw", ...DEBUG, "--", "sh", "-c"],
          "read go; ls -d /host/etc; readlink /proc/self/ns/net; chroot /host /bin/echo inside; read end",
        ]);
        await debug.say("go\n");
        // containerd ends an attach with the first of its streams that ends, so it may drop what a
        // container says right before it exits.
        await debug.says(/inside/);
        await debug.say("end\n");
        assert.equal(await debug.exit(), 0, debug.err);
        const net = await Deno.readLink("/proc/self/ns/net");
        assert.match(debug.out, new RegExp(`^/host/etc\n${RegExp.escape(net)}\ninside$`, "m"));
      });

      await step("debug node/NAME --profile=sysadmin says what the gateway lacks", async () => {
        const debug = talk(site, kubeconfig, [
          ...["debug", "-i", "node/gw", ...DEBUG, "--profile=sysadmin", "--", "true"],
        ]);
        await until("kubectl is told", () => /agent option --allow-privileged/.test(debug.err));
        await debug.kill();
      });

      await step("nothing is left open", async () => {
        await until("no stream is open", async () => await openStreams(site, agent, hub) === 0);
      });
    }),
});
