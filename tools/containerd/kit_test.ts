import assert from "node:assert/strict";
import { createCriRuntime, type Runtime } from "../../agent/runtimes/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { needsContainerd } from "../../tests/e2e/containerd.ts";
import { findShims } from "./cleanup.ts";
import { type Containerd, startContainerd } from "./kit.ts";
import { runCommand } from "./machine.ts";

const never = new AbortController().signal;

async function runPod(containerd: Containerd, hostPort: number): Promise<string[]> {
  const { socket: socketPath } = containerd;
  await using runtime: Runtime = createCriRuntime({
    socketPath,
    clock: systemClock,
    log: silentLogger,
  });
  await runtime.runSandbox({
    podUid: "same-uid",
    podName: "same-name",
    podNamespace: "default",
    attempt: 0,
    hostname: "same",
    logDirectory: `${containerd.paths.dir}/logs`,
    portMappings: [{ protocol: "TCP", containerPort: 80, hostPort, hostIp: "127.0.0.1" }],
    labels: {},
    annotations: {},
    securityContext: {},
  }, never);
  const { sandboxes } = await runtime.observe(never);
  return sandboxes.flatMap(({ ips }) => ips);
}

async function leftovers(containerd: Containerd): Promise<string[]> {
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  const nat = await runCommand("iptables-save", ["-t", "nat"]);
  const links = await runCommand("ip", ["-br", "link"]);
  const prefix = containerd.subnet.replace(/\.0\/24$/, ".");
  return [
    ...(await findShims(containerd.socket)).map((pid) => `shim ${pid}`),
    ...mounts.split("\n").filter((line) => line.includes(`${containerd.paths.dir}/`)),
    ...nat.stdout.split("\n").filter((line) => line.includes(prefix)),
    ...links.stdout.split("\n").filter((line) => line.startsWith(`${containerd.bridge} `)),
    ...(await Deno.stat(containerd.paths.dir).then(() => [containerd.paths.dir], () => [])),
  ];
}

Deno.test({
  ...await needsContainerd(
    "startContainerd() gives two at once that do not meet and leave nothing",
  ),
  async fn() {
    const [one, two] = await Promise.all([startContainerd(), startContainerd()]);
    const [ips] = await Promise.all([runPod(one, 30080), runPod(two, 30081)]);
    assert.notEqual(one.subnet, two.subnet);
    assert.ok(ips[0]?.startsWith(one.subnet.replace(/0\/24$/, "")), `${ips} of ${one.subnet}`);
    assert.ok((await leftovers(one)).length > 3, "the check sees what is there");
    // One that was killed is cleaned up just the same.
    await two.stop("SIGKILL");
    await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
    assert.deepEqual([...await leftovers(one), ...await leftovers(two)], []);
    await one[Symbol.asyncDispose]();
  },
});

Deno.test({
  ...await needsContainerd("startContainerd() refuses a folder that is in use"),
  async fn() {
    const dir = await Deno.makeTempDir();
    await Deno.writeTextFile(`${dir}/mine`, "");
    await assert.rejects(startContainerd({ dir }), /not empty \(mine\)/);
    assert.equal(await Deno.readTextFile(`${dir}/mine`), "");
    await Deno.remove(dir, { recursive: true });
  },
});
