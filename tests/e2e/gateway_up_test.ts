import assert from "node:assert/strict";
import { findShims } from "../../tools/containerd/cleanup.ts";
import type { Containerd } from "../../tools/containerd/mod.ts";
import { BUNDLE } from "../../cli/agent_main.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  call,
  containersOf,
  COUNT,
  isReady,
  nodeReady,
  podsOf,
  readyFunction,
  readyPod,
  shellPod,
  shellSpec,
  Site,
  stepsOf,
  textFunction,
} from "./gateway_lib.ts";
import {
  childrenOf,
  type Running,
  sessionMembers,
  signalId,
  until,
} from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "libwasmtime", "bundle");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-up";

/** `deno task up`, and what it printed. */
async function up(site: Site, containerd: Containerd, ...flags: string[]) {
  const process = site.start("up", [
    ...[Deno.execPath(), "task", "up", `--state-dir=${site.folder}/state`, `--name=${NODE}`],
    ...[`--cri-socket=${containerd.socket}`, `--pod-cidr=${containerd.subnet}`],
    ...[`--pod-logs=${site.folder}/logs`, "--device-plugins=none", ...flags],
  ]);
  const kubeconfig = (await process.prints(/KUBECONFIG=(\S+)/, 60))[1] ?? "";
  const gateway = (await process.prints(/curl (http:\S+)\/default\/hello/))[1] ?? "";
  await process.prints(/deno task agent --hub \S+:\d+ --token TOKEN/);
  return { process, kubeconfig, gateway, api: await site.client(kubeconfig) };
}

const noLibrary = lacks("libwasmtime");

/** `deno task up` without containers, as a person or as npx starts it. */
function upCommand(site: Site): string[] {
  const flags = [`--state-dir=${site.folder}/state`, `--name=${NODE}`, "--cri-socket=none"];
  return [Deno.execPath(), "task", "up", ...flags];
}

/** Ctrl-C as the terminal sends it: to the whole group. */
async function ctrlC(process: Running): Promise<void> {
  process.signal("SIGINT");
  // A container that ignores TERM is killed after 10 s.
  await process.exit(20);
  assert.deepEqual(await sessionMembers(process.pid), []);
}

/** No pod is left: a shim ends a moment after its sandbox. */
async function noShims(containerd: Containerd): Promise<void> {
  await until("no shim is left", async () => (await findShims(containerd.socket)).length === 0);
}

/** What a process has printed is read a moment after its end. */
async function hasPrinted(process: Running, want: RegExp): Promise<void> {
  await until(`${process.name} has printed ${want}`, () => {
    assert.match(process.output, want);
    return true;
  });
}

/** Ids of everything that runs there. */
async function tasks(containerd: Containerd): Promise<string[]> {
  return (await containerd.ctr("tasks", "ls", "-q")).split("\n").sort();
}

function deployment(): unknown {
  const labels = { app: "web" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default", labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: shellSpec("sleep 1000") },
    },
  };
}

Deno.test({
  name: `deno task up: function, pods, logs, Ctrl-C, and up again with the same state${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      const first = await up(site, containerd);
      let uid = "";

      await step("the printed address answers with the example function", async () => {
        assert.equal(await call(`${first.gateway}/default/hello`), "200 hello from skerry\n");
      });

      await step("the node is Ready and kubectl shows it", async () => {
        await until("node Ready", async () => await nodeReady(first.api, NODE) === "True");
        uid = (await first.api.request("GET", `/api/v1/nodes/${NODE}`)).metadata.uid;
        const shown = await site.kubectl(first.kubeconfig, ["get", "nodes"]);
        assert.match(shown, new RegExp(`${NODE}\\s+Ready`));
      });

      await step("a function of the user's own gets Ready and answers", async () => {
        await site.apply(first.kubeconfig, ...textFunction("own", "mine"));
        await readyFunction(first.api, "own");
        assert.equal(await call(`${first.gateway}/default/own`), "200 mine");
      });

      await step("kubectl run starts a real container, kubectl logs -f streams", async () => {
        await site.kubectl(first.kubeconfig, [
          ...["run", "talker", "--image=skerry.test/busybox:1"],
          ...["--image-pull-policy=IfNotPresent", "--", "sh", "-c", COUNT],
        ]);
        await readyPod(first.api, "talker");
        const logs = site.start(
          "kubectl logs",
          site.kubectlCommand(first.kubeconfig, ["logs", "-f", "talker"]),
        );
        await logs.prints(/^line 0$/m);
        // What is printed after the stream began must come, too.
        const seen = logs.output.trimEnd().split("\n").length;
        await logs.prints(new RegExp(`^line ${seen + 5}$`, "m"));
        await logs.kill();
      });

      await step("a Deployment runs", async () => {
        await site.apply(first.kubeconfig, deployment());
        await site.kubectl(first.kubeconfig, [
          ...["rollout", "status", "deployment/web", "--timeout=30s"],
        ]);
        assert.equal((await podsOf(first.api, "app=web")).filter(isReady).length, 2);
      });

      await step("a pod that is never restarted runs", async () => {
        const script = "trap 'exit 3' TERM; sleep 1000 & wait";
        const once = shellPod("once", script, {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 5,
        });
        await site.apply(first.kubeconfig, once);
        await readyPod(first.api, "once");
      });

      await step("Ctrl-C ends everything within 20 s, pods as well", async () => {
        await ctrlC(first.process);
        assert.equal(first.process.code, 0);
        await noShims(containerd);
        await assert.rejects(call(`${first.gateway}/default/hello`));
      });

      const second = await up(site, containerd, "--keep-pods");
      let kept: Record<string, string> = {};

      await step("a pod that is never restarted has failed with the shutdown", async () => {
        const path = "/api/v1/namespaces/default/pods/once";
        const { status } = await until("once has failed", async () => {
          const pod = await second.api.request("GET", path);
          return pod.status.phase === "Failed" && pod;
        });
        assert.equal(status.reason, "Terminated");
        assert.equal(status.containerStatuses[0].state.terminated.exitCode, 3);
        await second.api.request("DELETE", path);
        await until("once is gone", async () => {
          return (await podsOf(second.api)).every(({ metadata }) => metadata.name !== "once");
        });
      });

      await step("a second up goes on with the same state", async () => {
        const node = await second.api.request("GET", `/api/v1/nodes/${NODE}`);
        assert.equal(node.metadata.uid, uid);
        assert.equal(await call(`${second.gateway}/default/own`), "200 mine");
        await readyPod(second.api, "talker");
        kept = await until("all pods run again", async () => {
          const pods = await podsOf(second.api);
          assert.deepEqual(pods.map(isReady), [true, true, true]);
          // The status of before may still stand there: what it names must run now.
          const running = await tasks(containerd);
          const found = containersOf(pods);
          const ids = Object.values(found).map((text) => /[0-9a-f]{64}/.exec(text)?.[0] ?? "");
          return ids.every((id) => running.includes(id)) && found;
        });
      });

      await step(
        "--keep-pods leaves the containers running, and the next up adopts",
        async () => {
          const before = await tasks(containerd);
          await ctrlC(second.process);
          assert.deepEqual(await tasks(containerd), before);
          const third = await up(site, containerd);
          await site.apply(third.kubeconfig, shellPod("after", "sleep 1000"));
          await readyPod(third.api, "after");
          const pods = (await podsOf(third.api)).filter(({ metadata }) =>
            metadata.name !== "after"
          );
          assert.deepEqual(containersOf(pods), kept);
          await ctrlC(third.process);
          await noShims(containerd);
        },
      );
    }),
});

Deno.test({
  name: `up finds free ports; a second one on the same state gives up${
    noLibrary ? ` (skipped: ${noLibrary})` : ""
  }`,
  ignore: noLibrary !== undefined,
  fn: () =>
    Site.run(async (site) => {
      using _taken = occupy(8080);
      const first = site.start("up", upCommand(site));
      const [, port] = await first.prints(/port 8080 is taken; gateway uses (\d+)/);
      await first.prints(/Skerry is up/, 60);
      const url = `http://127.0.0.1:${port}/default/hello`;
      assert.ok(first.output.includes(`curl ${url}`));
      const second = site.start("second up", upCommand(site));
      assert.equal(await second.exit(30), 1);
      await hasPrinted(second, /skerry: the \w+ ended with exit code 7[35]: .*; stopping/);
      assert.deepEqual(await sessionMembers(second.pid), []);
      assert.equal(await call(url), "200 hello from skerry\n");
      await ctrlC(first);
    }),
});

Deno.test({
  name: `up names the part and the reason when its state cannot be used${
    noLibrary ? ` (skipped: ${noLibrary})` : ""
  }`,
  ignore: noLibrary !== undefined,
  fn: () =>
    Site.run(async (site) => {
      await Deno.mkdir(`${site.folder}/state/hub`, { recursive: true });
      await Deno.writeTextFile(`${site.folder}/state/hub/hub.db`, "no database ".repeat(1000));
      const first = site.start("up", upCommand(site));
      assert.equal(await first.exit(30), 1);
      await hasPrinted(
        first,
        /^skerry: the hub ended with exit code 74: the store \S+hub\.db is damaged .*; stopping$/m,
      );
      assert.deepEqual(await sessionMembers(first.pid), []);
    }),
});

Deno.test({
  name: `up prints a token command that works, and ends at once at a second Ctrl-C${
    noLibrary ? ` (skipped: ${noLibrary})` : ""
  }`,
  ignore: noLibrary !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const process = site.start("up", upCommand(site));
      await process.prints(/Skerry is up/, 60);
      const printed = await process.prints(/deno task (skerry token create --node NAME.*?) {3}/);
      const words = (printed[1] ?? "").replace("NAME", "gw-2").split(" ");
      const token = site.start("token", [Deno.execPath(), "task", "--quiet", ...words]);
      assert.equal(await token.exit(30), 0, token.output);
      await hasPrinted(token, /^skerry1\./m);
      // Nothing that up starts at its first start may complain.
      assert.doesNotMatch(process.output, /"level":"(warn|error)"/);
      const [launcher] = (await childrenOf(process.pid)).filter(({ command }) =>
        command.includes("cli/up.ts")
      );
      assert.ok(launcher);
      const parts = await childrenOf(launcher.pid);
      const agent = parts.find(({ command }) => command.includes(BUNDLE));
      assert.ok(agent);
      signalId(agent.pid, "SIGSTOP");
      process.signal("SIGINT");
      await process.prints(/stopping \.\.\. \(Ctrl-C again/);
      await until("the second Ctrl-C ends it", () => {
        // The first one counts for a second, as it may come twice.
        if (process.code === undefined) process.signal("SIGINT");
        return process.code !== undefined;
      }, 10);
      assert.deepEqual(await sessionMembers(process.pid), []);
    }),
});

/** Takes a port of 127.0.0.1; when something else has it, it is taken as well. */
function occupy(port: number): Disposable {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return { [Symbol.dispose]() {} };
  }
}

Deno.test({
  name: `up leaves nothing behind when npx or the launcher is killed${
    noLibrary ? ` (skipped: ${noLibrary})` : ""
  }`,
  ignore: noLibrary !== undefined,
  fn: () =>
    Site.run(async (site) => {
      // npx runs the command in a shell; the second command keeps each shell from becoming the first.
      const shell = (command: string): string[] => ["sh", "-c", `${command}; true`];
      const words = upCommand(site).map((word) => `'${word}'`).join(" ");
      const npx = site.start("npx", shell(`sh -c "${words}; true"`), {
        env: { npm_command: "exec" },
      });
      await npx.prints(/Skerry is up/, 60);
      signalId(npx.pid, "SIGKILL");
      await until("all have ended", async () => (await sessionMembers(npx.pid)).length === 0, 15);

      const up = site.start("up", upCommand(site));
      await up.prints(/Skerry is up/, 60);
      const [launcher] = (await childrenOf(up.pid)).filter(({ command }) =>
        command.includes("cli/up.ts")
      );
      assert.ok(launcher);
      signalId(launcher.pid, "SIGKILL");
      await until("all have ended", async () => (await sessionMembers(up.pid)).length === 0, 15);
    }),
});
