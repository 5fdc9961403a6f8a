import assert from "node:assert/strict";
import { Collector } from "../../agent/images/mod.ts";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { bytes, minutes, silentLogger, systemClock, VirtualClock } from "../../core/base/mod.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";

const never = new AbortController().signal;

Deno.test({
  ...await needsContainerd(
    "unused images go when the disk is full, the sandbox's and those in use never",
  ),
  async fn() {
    await using containerd = await startContainerd();
    await using runtime = createCriRuntime({
      socketPath: containerd.socket,
      clock: systemClock,
      log: silentLogger,
      node: "n1",
    });
    const sandbox = {
      podUid: "u1",
      podName: "p",
      podNamespace: "default",
      attempt: 0,
      hostname: "p",
      logDirectory: `${containerd.paths.dir}/logs`,
      portMappings: [],
      labels: {},
      annotations: {},
      securityContext: {},
    };
    const id = await runtime.runSandbox(sandbox, never);
    const image = await runtime.imageStatus(TEST_IMAGES.busybox, never);
    await runtime.createContainer(
      id,
      {
        name: "main",
        attempt: 0,
        image: image?.id ?? "",
        command: ["sleep", "1000"],
        args: [],
        workingDir: "",
        env: [],
        mounts: [],
        devices: [],
        labels: {},
        annotations: {},
        logPath: "main/0.log",
        stdin: false,
        stdinOnce: false,
        tty: false,
        resources: {},
        securityContext: {},
      },
      sandbox,
      never,
    );
    assert.equal((await runtime.details(never)).sandboxImage, TEST_IMAGES.pause);

    const clock = new VirtualClock();
    const full = { size: bytes(100), available: bytes(1), inodes: 0, inodesFree: 0 };
    const reasons: string[] = [];
    const collector = new Collector({
      runtime,
      clock,
      log: silentLogger,
      disk: () => Promise.resolve(full),
      wanted: () => new Set(),
      ended: () => new Set(),
      event: ({ reason }) => reasons.push(reason),
    });
    const tags = async (): Promise<string[]> =>
      (await runtime.images(never)).flatMap((one) => one.tags).sort();
    await collector.collect(never);
    assert.equal((await tags()).length, 3, "all are new");
    await clock.advance(minutes(3));
    await collector.collect(never);
    assert.deepEqual(await tags(), [TEST_IMAGES.busybox, TEST_IMAGES.pause].sort());
    assert.equal(reasons[0], "FreeDiskSpaceFailed");
  },
});
