import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { freePort } from "../../tools/free_port.ts";
import { lacks } from "../../tools/test/needs.ts";
import { type AgentAt, type HubAt, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { type Running, sessionMembers, until } from "./gateway_process_lib.ts";
import { openStreams, podGone, processesWith, PROTOCOLS, type Talk, talk } from "./streams_lib.ts";
import { ExecClient } from "./streams_raw_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-life";
const COUNT = "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done";

/** A script that waits for the end of its input, and can be found by `mark`. */
const waiting = (mark: string): string => `echo up; cat >/dev/null; : ${mark}`;

interface Place {
  readonly site: Site;
  readonly hub: HubAt;
  readonly agent: AgentAt;
}

async function nothingOpen({ site, hub, agent }: Place): Promise<void> {
  await until("no stream is open", async () => {
    const open = await openStreams(site, agent, hub);
    if (open > 0) throw new Error(`${open} at hub and node`);
    return true;
  });
}

/** Resident memory of a part and its launcher, in MiB. */
async function memoryOf(part: Running): Promise<number> {
  let pages = 0;
  for (const pid of await sessionMembers(part.pid)) {
    const text = await Deno.readTextFile(`/proc/${pid}/statm`).catch(() => "0 0");
    pages += Number(text.split(" ")[1]);
  }
  return pages * 4096 / 1024 / 1024;
}

async function killedClients(place: Place): Promise<void> {
  const { site, hub, agent } = place;
  for (const [protocol, env] of Object.entries(PROTOCOLS)) {
    for (const kubeconfig of [hub.kubeconfig, agent.kubeconfig]) {
      const mark = `mark-${crypto.randomUUID()}`;
      const exec = ["exec", "-i", "web", "--", "sh", "-c", waiting(mark)];
      const client = talk(site, kubeconfig, exec, env);
      await client.says(/up/);
      assert.notDeepEqual(await processesWith(`: ${mark}`), []);
      await client.kill();
      await until(
        `the command of a killed ${protocol} client ends`,
        async () => (await processesWith(`>/dev/null; : ${mark}`)).length === 0,
      );
      await nothingOpen(place);
    }
  }
}

async function killedReaders(place: Place): Promise<void> {
  const { site, hub, agent } = place;
  for (const kubeconfig of [hub.kubeconfig, agent.kubeconfig]) {
    const reader = talk(site, kubeconfig, ["logs", "-f", "web"]);
    await reader.says(/line 3/);
    assert.notEqual(await openLogs(agent.process), 0);
    await reader.kill();
    await until("the log is closed", async () => await openLogs(agent.process) === 0);
    await nothingOpen(place);
  }
}

/** How many container logs the agent has open. */
async function openLogs(part: Running): Promise<number> {
  let count = 0;
  for (const pid of await sessionMembers(part.pid)) {
    for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
      const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
      if (/\/logs\/.*\/\d+\.log$/.test(target)) count++;
    }
  }
  return count;
}

async function deletedPods(place: Place): Promise<void> {
  const { site, hub } = place;
  const api = await site.client(hub.kubeconfig);
  await site.apply(hub.kubeconfig, shellPod("short", COUNT));
  await readyPod(api, "short");
  const exec = talk(site, hub.kubeconfig, [
    "exec",
    "-i",
    "short",
    "--",
    "sh",
    "-c",
    "echo up; cat",
  ]);
  await exec.says(/up/);
  const forward = talk(site, hub.kubeconfig, ["port-forward", "short", `${freePort()}:80`]);
  await forward.says(/Forwarding/);
  await site.kubectl(hub.kubeconfig, ["delete", "pod", "short", "--wait=false"]);
  await podGone(api, "short");
  assert.notEqual(await exec.exit(), 0);
  await forward.exit();
  await nothingOpen(place);
}

async function manyExecs(place: Place): Promise<void> {
  const client = await ExecClient.open(place.hub.kubeconfig);
  const one = async (index: number): Promise<string> => {
    const run = await client.exec("web", ["sh", "-c", `echo out ${index}; exit ${index % 3}`]);
    return `${run.stdout}${run.exitCode}`;
  };
  const want = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `out ${index}\n${index % 3}`);
  const together = await Promise.all(want(50).map((_, index) => one(index)));
  assert.deepEqual(together, want(50));
  const before = await memoryOf(place.agent.process) + await memoryOf(place.hub.process);
  for (let index = 0; index < 100; index++) {
    assert.equal(await one(index), want(100)[index]);
  }
  const after = await memoryOf(place.agent.process) + await memoryOf(place.hub.process);
  assert.ok(after < before + 48, `memory grew from ${before} to ${after} MiB in 100 execs`);
  await nothingOpen(place);
}

async function slowClients(place: Place): Promise<void> {
  const client = await ExecClient.open(place.hub.kubeconfig);
  const size = 200_000_000;
  const memory = async (): Promise<number> =>
    await memoryOf(place.agent.process) + await memoryOf(place.hub.process);
  const before = await memory();
  const mark = `mark-${crypto.randomUUID()}`;
  {
    using slow = await client.start(
      "web",
      ["sh", "-c", `head -c ${size} /dev/zero; : ${mark}`],
    );
    await stalled(mark, "head");
    const held = await memory();
    assert.ok(held < before + 64, `memory grew from ${before} to ${held} MiB for a slow reader`);
    assert.equal((await slow.finish()).size, size);
  }
  // An API server that cannot write to a process reads no more of its client, and so does not see it
  // leave (1.36); with a kubelet that is no other.
  if (!place.hub.embedded) return await nothingOpen(place);
  const deaf = talk(place.site, place.hub.kubeconfig, ["exec", "-i", "web", "--", "sleep", "1000"]);
  const sent = await flood(deaf, size);
  assert.ok(sent < size, "a process that reads nothing was sent everything");
  const held = await memory();
  assert.ok(held < before + 96, `memory grew from ${before} to ${held} MiB for a slow process`);
  // Nothing of the client is read, its end neither; it is noticed by what is written to it.
  await deaf.kill();
  await nothingOpen(place);
}

/** Sends up to `size` bytes to standard input; returns how many were taken before nothing moved. */
async function flood(client: Talk, size: number): Promise<number> {
  const block = new Uint8Array(64 * 1024);
  let sent = 0;
  const pump = (async () => {
    for (; sent < size; sent += block.byteLength) await client.say(block);
  })();
  pump.catch(() => {/* killed in the middle */});
  let last = -1;
  let same = 0;
  await until("the client is held up", () => {
    same = sent === last ? same + 1 : 0;
    last = sent;
    return same >= 40;
  });
  return sent;
}

/** Waits until the program under the script with `mark` writes no more, because nobody reads. */
async function stalled(mark: string, program: string): Promise<void> {
  let last = "";
  let same = 0;
  await until(`${program} is held up`, async () => {
    const [shell] = await processesWith(`: ${mark}`);
    const children = await Deno.readTextFile(`/proc/${shell}/task/${shell}/children`);
    const io = await Deno.readTextFile(`/proc/${Number(children)}/io`);
    const written = /^wchar: (\d+)/m.exec(io)?.[1] ?? "";
    same = written === last && written !== "0" ? same + 1 : 0;
    last = written;
    return same >= 20;
  });
}

Deno.test({
  name: `streams end with their clients, pods and hubs, and hold nothing${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const [containerd, hub] = await Promise.all([site.containerd(), site.hub()]);
      const token = await site.token(hub, NODE);
      const agent = await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token,
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      await site.apply(hub.kubeconfig, shellPod("web", COUNT));
      const pod: Pod = await readyPod(await site.client(hub.kubeconfig), "web");
      assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
      const place = { site, hub, agent };

      await step("50 execs at once and 100 in a row: none fails", () => manyExecs(place));
      await step("a client that reads nothing, a process that reads nothing: no memory", () =>
        slowClients(place));
      await step("a client that is killed takes its command along", () =>
        killedClients(place));
      await step("a reader that is killed leaves no log open", () => killedReaders(place));
      await step("a pod that is deleted ends its streams", () => deletedPods(place));
      await step("a hub that is killed ends them at the node as well", async () => {
        const mark = `mark-${crypto.randomUUID()}`;
        const exec = ["exec", "-i", "web", "--", "sh", "-c", waiting(mark)];
        const client = talk(site, hub.kubeconfig, exec);
        await client.says(/up/);
        await hub.process.kill();
        const code = await client.exit();
        // An API server between them tells kubectl of no error (1.36).
        if (hub.embedded) assert.notEqual(code, 0);
        await until("the command ends", async () =>
          (await processesWith(`>/dev/null; : ${mark}`)).length === 0);
        await until("no stream is open", async () =>
          await openStreams(site, agent) === 0);
      });
    }),
});
