import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { freePort, until } from "./gateway_process_lib.ts";
import { ExecClient } from "./streams_raw_lib.ts";
import { noise, openStreams, PROTOCOLS, sha256, talk, talkInTerminal } from "./streams_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-streams";

/** Serves files over HTTP and counts on its standard output. */
const SERVER = "mkdir -p /www; httpd -p 80 -h /www; " +
  "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done";

/** Echoes its standard input. */
const ECHO = "echo ready; while read -r line; do echo got $line; done; echo over; sleep 1000";

/** Fails at its first run. */
const CRASH =
  "if [ -e /data/x ]; then echo second; sleep 1000; fi; touch /data/x; echo first; exit 3";

function echoPod(name: string, tty: boolean): unknown {
  const pod = shellPod(name, tty ? "sh -i" : ECHO);
  const spec = pod["spec"] as { containers: object[] };
  spec.containers = spec.containers.map((one) => ({ ...one, stdin: true, tty }));
  return pod;
}

function crashPod(name: string): unknown {
  const pod = shellPod(name, CRASH, { volumes: [{ name: "data", emptyDir: {} }] });
  const spec = pod["spec"] as { containers: object[] };
  const volumeMounts = [{ name: "data", mountPath: "/data" }];
  spec.containers = spec.containers.map((one) => ({ ...one, volumeMounts }));
  return pod;
}

interface Place {
  readonly site: Site;
  readonly kubeconfig: string;
  readonly env: Readonly<Record<string, string>>;
}

async function execs({ site, kubeconfig, env }: Place): Promise<void> {
  const mixed = talk(site, kubeconfig, [
    ...["exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7"],
  ], env);
  assert.equal(await mixed.exit(), 7);
  assert.equal(mixed.out, "out\n");
  assert.match(mixed.err, /^err\n/m);

  const data = noise(5_000_000);
  const summed = talk(site, kubeconfig, ["exec", "-i", "web", "--", "sha256sum"], env);
  await summed.say(data);
  await summed.hush();
  assert.equal(await summed.exit(), 0);
  assert.equal(summed.out, `${await sha256(data)}  -\n`);

  const big = talk(
    site,
    kubeconfig,
    ["exec", "web", "--", "head", "-c", "100000000", "/dev/zero"],
    env,
  );
  assert.equal(await big.exit(60), 0);
  assert.equal(big.size, 100_000_000);

  const none = talk(site, kubeconfig, ["exec", "web", "--", "no-such-program"], env);
  assert.notEqual(await none.exit(), 0);
  assert.match(none.err, /executable file not found/);
  const container = talk(site, kubeconfig, ["exec", "web", "-c", "nope", "--", "ls"], env);
  assert.notEqual(await container.exit(), 0);
  assert.match(container.err, /container nope is not valid for pod web/);
}

async function terminal({ site, kubeconfig, env }: Place): Promise<void> {
  const go = `${site.folder}/go-${crypto.randomUUID()}`;
  // The size changes while kubectl runs, which the kernel tells it by SIGWINCH.
  const shell = talkInTerminal(
    site,
    kubeconfig,
    `stty rows 33 cols 101; (until [ -e ${go} ]; do sleep 0.05; done; stty rows 44 cols 120 </dev/tty) & ` +
      "$KUBECTL exec -it web -- sh",
    env,
  );
  await shell.say("stty size\n");
  await shell.says(/33 101/);
  await Deno.writeTextFile(go, "");
  await until("the new size", async () => {
    await shell.say("stty size\n");
    return /44 120/.test(shell.out);
  });
  await shell.say("sleep 4242\n");
  await shell.says(/sleep 4242/);
  await shell.say("\x03");
  await shell.say("echo interrupted by $?\n");
  await shell.says(/interrupted by 130/);
  await shell.say("exit 5\n");
  assert.equal(await shell.exit(), 5);
}

async function attaches({ site, kubeconfig, env }: Place, pod: string): Promise<void> {
  const plain = talk(site, kubeconfig, ["attach", "-i", pod], env);
  await plain.say("hello\n");
  await plain.says(/got hello/);
  await plain.kill();
  const again = talk(site, kubeconfig, ["attach", "-i", pod], env);
  await again.say("once more\n");
  await again.says(/got once more/);
  await again.kill();
}

async function copies({ site, kubeconfig, env }: Place): Promise<void> {
  const data = noise(3_000_000);
  const [from, back] = [`${site.folder}/sent`, `${site.folder}/back-${crypto.randomUUID()}`];
  await Deno.writeFile(from, data);
  for (const args of [["cp", from, "web:/tmp/copied"], ["cp", "web:/tmp/copied", back]]) {
    const copy = talk(site, kubeconfig, args, env);
    assert.equal(await copy.exit(), 0, copy.err);
  }
  assert.equal(await sha256(await Deno.readFile(back)), await sha256(data));
}

async function forwards({ site, kubeconfig, env }: Place): Promise<void> {
  const made = await site.kubectl(kubeconfig, [
    ...["exec", "web", "--", "sh", "-c"],
    "head -c 3000000 /dev/urandom > /www/file; sha256sum < /www/file",
  ]);
  const port = freePort();
  await using forward = talk(site, kubeconfig, ["port-forward", "pod/web", `${port}:80`], env);
  await forward.says(/Forwarding from/);
  const sums = await Promise.all(Array.from({ length: 20 }, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/file`);
    return await sha256(new Uint8Array(await response.arrayBuffer()));
  }));
  assert.deepEqual([...new Set(sums)], [made.split(" ")[0]]);
}

async function logs({ site, kubeconfig }: Place): Promise<void> {
  const text = await site.kubectl(kubeconfig, ["logs", "web", "--limit-bytes=14"]);
  assert.equal(text, "line 0\nline 1\n");
  assert.equal(await site.kubectl(kubeconfig, ["logs", "crash", "--previous"]), "first\n");
  assert.equal(await site.kubectl(kubeconfig, ["logs", "crash"]), "second\n");
  const follow = talk(site, kubeconfig, ["logs", "-f", "web", "--tail=1"]);
  const [, first = ""] = await follow.says(/line (\d+)\n/);
  await follow.says(new RegExp(`line ${Number(first) + 5}\n`));
  await follow.kill();
  const ended = talk(site, kubeconfig, ["logs", "-f", "--previous", "crash"]);
  assert.equal(await ended.exit(), 0);
  assert.equal(ended.out, "first\n");
}

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
        crashPod("crash"),
      );
      for (const name of ["web", "echo-hub", "echo-local", "crash"]) await readyPod(api, name);

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
          await step(`cp ${named}, both ways`, () => copies(place));
          await step(`port-forward ${named}, 20 downloads at once`, () => forwards(place));
        }
        await step(
          `logs at ${where}: -f, --previous, --limit-bytes`,
          () => logs({ site, kubeconfig, env: {} }),
        );
      };
      await everything(hub.kubeconfig, "hub");

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
        const seen = await site.kubectl(hub.kubeconfig, ["logs", "web", "-c", "looker"]);
        assert.match(seen, /and it listens/);
      });

      await step("the kubelet door and nodes/proxy answer for the node", async () => {
        const health = await site.kubectl(hub.kubeconfig, [
          ...["get", "--raw", `/api/v1/nodes/${NODE}/proxy/healthz`],
        ]);
        assert.equal(health, "ok");
        const pods = await api.request("GET", `/api/v1/nodes/${NODE}/proxy/pods`);
        assert.equal(pods.items.length, 4);
        const door = await ExecClient.open(hub.kubeconfig, site.port("kubelet"));
        const path = "/exec/default/web/main?command=sh&command=-c&command=echo%20hi%3B%20exit%204";
        using exec = await door.startAt(`${path}&output=1`);
        assert.deepEqual(await exec.finish(), { size: 3, stdout: "hi\n", exitCode: 4 });
      });

      await step("nothing is left open", async () => {
        await until("no stream is open", async () => await openStreams(site, agent, hub) === 0);
      });

      await hub.process.kill();
      await everything(agent.kubeconfig, "local");
      await step("nothing is left open at the node", async () => {
        await until("no stream is open", async () => await openStreams(site, agent) === 0);
      });
    }),
});
