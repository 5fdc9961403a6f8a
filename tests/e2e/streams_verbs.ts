/** kubectl's streaming verbs, each held to what it must do wherever the API is. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../core/api/mod.ts";
import { freePort } from "../../tools/free_port.ts";
import { shellPod, type Site } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";
import { noise, processesWith, sha256, Talk, talk, talkInTerminal } from "./streams_lib.ts";

/** Serves files over HTTP and counts on its standard output. */
export const SERVER = "mkdir -p /www; httpd -p 80 -h /www; " +
  "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done";

/** Echoes its standard input. */
const ECHO = "echo ready; while read -r line; do echo got $line; done; echo over; sleep 1000";

/** Fails at its first run. */
const CRASH =
  "if [ -e /data/x ]; then echo second; sleep 1000; fi; touch /data/x; echo first; exit 3";

/** A pod that echoes what it is told. */
export function echoPod(name: string, tty: boolean): KubeObject {
  const pod = shellPod(name, tty ? "sh -i" : ECHO);
  const spec = pod["spec"] as { containers: object[] };
  spec.containers = spec.containers.map((one) => ({ ...one, stdin: true, tty }));
  return pod;
}

/** A pod whose container fails at its first run. */
export function crashPod(name: string): KubeObject {
  const pod = shellPod(name, CRASH, { volumes: [{ name: "data", emptyDir: {} }] });
  const spec = pod["spec"] as { containers: object[] };
  const volumeMounts = [{ name: "data", mountPath: "/data" }];
  spec.containers = spec.containers.map((one) => ({ ...one, volumeMounts }));
  return pod;
}

/** Where kubectl goes, and how. */
export interface Place {
  readonly site: Site;
  readonly kubeconfig: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `exec`: exit code, both outputs, 5 MB in, 100 MB out, and what it says of what is not there. */
export async function execs({ site, kubeconfig, env }: Place): Promise<void> {
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
  assert.equal(await big.exit(180), 0);
  assert.equal(big.size, 100_000_000);

  const none = talk(site, kubeconfig, ["exec", "web", "--", "no-such-program"], env);
  assert.notEqual(await none.exit(), 0);
  assert.match(none.err, /executable file not found/);
  const container = talk(site, kubeconfig, ["exec", "web", "-c", "nope", "--", "ls"], env);
  assert.notEqual(await container.exit(), 0);
  assert.match(container.err, /container nope is not valid for pod web/);
}

/**
 * `exec` whose output nobody takes until kubectl has pinged thrice, every 5 s. The sizes are
 * about what fits into the sockets on the way: the runtime has hung up by then, or is about to.
 */
export async function slowlyRead({ site, kubeconfig, env }: Place): Promise<void> {
  const kubectl = site.kubectlCommand(kubeconfig, []).join(" ");
  await Promise.all([4, 8, 10, 12].map(async (megabytes) => {
    const size = megabytes * 1_000_000;
    const exec = `${kubectl} exec web -c main -- head -c ${size} /dev/zero`;
    const script = `{ ${exec}; echo exit $? >&2; } | { sleep 17; wc -c; }`;
    const slow = site.hold(new Talk(["sh", "-c", script], { HOME: site.folder, ...env }));
    assert.equal(await slow.exit(180), 0);
    assert.deepEqual([slow.out, slow.err], [`${size}\n`, "exit 0\n"]);
  }));
}

/** `exec -it`: size, resize, Ctrl-C and exit code. */
export async function terminal({ site, kubeconfig, env }: Place): Promise<void> {
  const go = `${site.folder}/go-${crypto.randomUUID()}`;
  // The size changes while kubectl runs, which the kernel tells it by SIGWINCH.
  const shell = talkInTerminal(
    site,
    kubeconfig,
    `stty rows 33 cols 101; (until [ -e ${go} ]; do sleep 0.05; done; stty rows 44 cols 120 </dev/tty) & ` +
      "$KUBECTL exec -it web -- sh",
    env,
  );
  // The shell may begin before it is told the size.
  await until("the size", async () => {
    await shell.say("stty size\n");
    return /33 101/.test(shell.out);
  });
  await Deno.writeTextFile(go, "");
  await until("the new size", async () => {
    await shell.say("stty size\n");
    return /44 120/.test(shell.out);
  });
  // The terminal shows what is typed before the shell has read it.
  const nap = `sleep 42${Deno.pid}`;
  await shell.say(`${nap}\n`);
  await until("it sleeps", async () => (await processesWith(nap)).length > 0);
  await shell.say("\x03");
  await shell.say("echo interrupted by $?\n");
  await shell.says(/interrupted by 130/);
  await shell.say("exit 5\n");
  assert.equal(await shell.exit(), 5);
}

/** `attach -i` to a pod of {@linkcode ECHO}, twice. */
export async function attaches({ site, kubeconfig, env }: Place, pod: string): Promise<void> {
  const plain = talk(site, kubeconfig, ["attach", "-i", pod], env);
  await plain.say("hello\n");
  await plain.says(/got hello/);
  await plain.kill();
  const again = talk(site, kubeconfig, ["attach", "-i", pod], env);
  await again.say("once more\n");
  await again.says(/got once more/);
  await again.kill();
}

/**
 * `attach -it` to a pod of `sh -i`: it has the terminal's size, and lives on when kubectl does not.
 * Without a terminal of its own kubectl is refused, and `kubectl run` reads the log instead.
 */
export async function attachesTerminal(
  { site, kubeconfig, env }: Place,
  pod: string,
): Promise<void> {
  const open = (rows: number): Talk =>
    talkInTerminal(
      site,
      kubeconfig,
      `stty rows ${rows} cols 101; exec $KUBECTL attach -it ${pod}`,
      env,
    );
  const first = open(33);
  await until("the terminal's size", async () => {
    await first.say("stty size\n");
    return /33 101/.test(first.out);
  });
  await first.say("word=kept\n");
  await first.says(/word=kept/);
  await first.kill();
  const second = open(44);
  await until("the new size, in the same shell", async () => {
    await second.say("stty size; echo it is $word\n");
    return /44 101[^]*it is kept/.test(second.out);
  });
  await second.kill();
  const blind = talk(site, kubeconfig, ["attach", pod], env);
  assert.equal(await blind.exit(), 1);
  assert.match(blind.err, /tty and stderr cannot both be true/);
}

/** `cp` of 3 MB, both ways. */
export async function copies({ site, kubeconfig, env }: Place): Promise<void> {
  const data = noise(3_000_000);
  const [from, back] = [`${site.folder}/sent`, `${site.folder}/back-${crypto.randomUUID()}`];
  await Deno.writeFile(from, data);
  for (const args of [["cp", from, "web:/tmp/copied"], ["cp", "web:/tmp/copied", back]]) {
    const copy = talk(site, kubeconfig, args, env);
    assert.equal(await copy.exit(), 0, copy.err);
  }
  assert.equal(await sha256(await Deno.readFile(back)), await sha256(data));
}

/** `port-forward`, with twenty downloads at once. */
export async function forwards({ site, kubeconfig, env }: Place): Promise<void> {
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

/** `logs`, with its options. */
export async function logs({ site, kubeconfig }: Place): Promise<void> {
  // Pods are ready before they have said anything.
  const saysAll = async (text: string, ...args: readonly string[]): Promise<void> => {
    await until(`logs ${args.join(" ")}`, async () => {
      assert.equal(await site.kubectl(kubeconfig, ["logs", ...args]), text);
      return true;
    });
  };
  await saysAll("line 0\nline 1\n", "web", "--limit-bytes=14");
  await saysAll("second\n", "crash");
  assert.equal(await site.kubectl(kubeconfig, ["logs", "crash", "--previous"]), "first\n");
  const follow = talk(site, kubeconfig, ["logs", "-f", "web", "--tail=1"]);
  const [, first = ""] = await follow.says(/line (\d+)\n/);
  await follow.says(new RegExp(`line ${Number(first) + 5}\n`));
  await follow.kill();
  const ended = talk(site, kubeconfig, ["logs", "-f", "--previous", "crash"]);
  assert.equal(await ended.exit(), 0);
  assert.equal(ended.out, "first\n");
}
