import assert from "node:assert/strict";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { type PodBench, startBench, testPod } from "../../agent/pods/testing/mod.ts";
import type { Container, LifecycleHandler, Pod, PodSpec, PodStatus } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";

const TRAP = "trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.1; done";

/** A container that runs a shell script. */
function shell(name: string, script: string, more: Partial<Container> = {}): Container {
  return {
    name,
    image: TEST_IMAGES.busybox,
    imagePullPolicy: "IfNotPresent",
    command: ["sh", "-c", script],
    ...more,
  };
}

function statusOf(pods: PodBench, name: string): PodStatus {
  return pods.pod(name)?.status ?? {};
}

async function phase(pods: PodBench, name: string, wanted: PodStatus["phase"]): Promise<PodStatus> {
  return await pods.until(`${name} is ${wanted}`, () => {
    const status = statusOf(pods, name);
    return status.phase === wanted && status;
  });
}

/** What a container printed, with the time of each line. */
async function lines(
  pods: PodBench,
  [pod, container, attempt = 0]: readonly [string, string, number?],
): Promise<{ at: number; text: string }[]> {
  const file = `${pods.dir}/logs/default_${pod}_uid-${pod}/${container}/${attempt}.log`;
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.split("\n").filter(Boolean).map((line) => {
    const [time = "", , , ...rest] = line.split(" ");
    return { at: Date.parse(time), text: rest.join(" ") };
  });
}

async function said(
  pods: PodBench,
  where: readonly [string, string, number?],
  text: string,
): Promise<number> {
  return await pods.until(`${where.join("/")} says ${text}`, async () => {
    return (await lines(pods, where)).find((line) => line.text === text)?.at;
  });
}

async function gone(pods: PodBench, name: string): Promise<void> {
  await pods.until(`${name} is gone`, () => pods.gone.includes(`uid-${name}`));
}

function change(pods: PodBench, name: string, edit: (spec: PodSpec) => void): void {
  const pod = structuredClone(pods.pod(name)) as Pod;
  edit(pod.spec);
  pods.put(pod);
}

Deno.test({
  ...await needsContainerd("PodManager leads containers through their lives on a real containerd"),
  async fn(t) {
    await using containerd = await startContainerd();
    const { socket: socketPath } = containerd;
    const node = { clock: systemClock, log: silentLogger, node: "n1" };
    await using pods = await startBench({
      connect: () => createCriRuntime({ socketPath, ...node }),
    });
    await using runtime = createCriRuntime({ socketPath, ...node });
    const signal = new AbortController().signal;

    await t.step(
      "sidecars start before the mains, end after them, and keep no pod alive",
      async () => {
        const sidecar = { restartPolicy: "Always" } as const;
        pods.put(testPod("job", {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 20,
          initContainers: [
            shell("first", TRAP, {
              ...sidecar,
              startupProbe: { exec: { command: ["test", "-e", "/tmp/go"] }, periodSeconds: 1 },
              lifecycle: { postStart: { exec: { command: ["touch", "/tmp/go"] } } },
            }),
            shell("second", TRAP, sidecar),
          ],
          containers: [shell("main", "echo up; sleep 1; echo done")],
        }));
        const status = await phase(pods, "job", "Succeeded");
        const up = await Promise.all(
          ["first", "second", "main"].map((name) => said(pods, ["job", name], "up")),
        );
        assert.deepEqual(up, up.toSorted((a, b) => a - b));
        const down = await Promise.all([
          said(pods, ["job", "main"], "done"),
          said(pods, ["job", "second"], "term"),
          said(pods, ["job", "first"], "term"),
        ]);
        assert.deepEqual(down, down.toSorted((a, b) => a - b));
        assert.deepEqual(status.initContainerStatuses?.map((one) => one.restartCount), [0, 0]);
        pods.remove("job", 0);
        await gone(pods, "job");
      },
    );

    await t.step("a sidecar that ends is started again, also where nothing else is", async () => {
      pods.put(testPod("side", {
        restartPolicy: "Never",
        initContainers: [shell("log", "echo up; sleep 0.5", { restartPolicy: "Always" })],
        containers: [shell("main", TRAP)],
      }));
      await said(pods, ["side", "log", 1], "up");
      await pods.until("counted", () => {
        const [log] = statusOf(pods, "side").initContainerStatuses ?? [];
        return log?.restartCount === 1 && log.lastState.terminated?.exitCode === 0;
      });
      assert.equal(statusOf(pods, "side").phase, "Running");
      pods.remove("side", 0);
      await gone(pods, "side");
    });

    await t.step("hooks run after the start and before TERM", async () => {
      const out = `${pods.dir}/out`;
      await Deno.mkdir(out);
      const volumeMounts = [{ name: "out", mountPath: "/out" }];
      const note = (text: string): LifecycleHandler => ({
        exec: { command: ["sh", "-c", `echo ${text} >> /out/main`] },
      });
      const cgi = "#!/bin/sh\\necho asked >> /out/web\\necho\\n";
      const serve = `mkdir -p /www/cgi-bin; printf '${cgi}' > /www/cgi-bin/bye
        chmod +x /www/cgi-bin/bye; httpd -p 8080 -h /www
        ${TRAP.replace("term;", "term >> /out/web;")}`;
      pods.put(testPod("hooks", {
        terminationGracePeriodSeconds: 20,
        volumes: [{ name: "out", hostPath: { path: out } }],
        containers: [
          shell("main", TRAP.replace("term;", "term >> /out/main;"), {
            volumeMounts,
            lifecycle: { postStart: note("started"), preStop: note("stopping") },
          }),
          shell("web", serve, {
            volumeMounts,
            ports: [{ name: "http", containerPort: 8080 }],
            lifecycle: { preStop: { httpGet: { port: "http", path: "/cgi-bin/bye" } } },
          }),
        ],
      }));
      await phase(pods, "hooks", "Running");
      // From then on they hear TERM.
      for (const name of ["main", "web"]) await said(pods, ["hooks", name], "up");
      pods.remove("hooks", 20);
      await gone(pods, "hooks");
      assert.equal(await Deno.readTextFile(`${out}/main`), "started\nstopping\nterm\n");
      assert.equal(await Deno.readTextFile(`${out}/web`), "asked\nterm\n");
    });

    await t.step(
      "a postStart hook that fails ends the run; the next one may do better",
      async () => {
        pods.put(testPod("fails", {
          containers: [shell("main", TRAP, {
            lifecycle: {
              postStart: {
                exec: {
                  command: ["sh", "-c", "test -e /dev/shm/x || { touch /dev/shm/x; exit 3; }"],
                },
              },
            },
          })],
          terminationGracePeriodSeconds: 2,
        }));
        await pods.until("restarted", () => {
          const [main] = statusOf(pods, "fails").containerStatuses ?? [];
          return main?.restartCount === 1 && main.state.running;
        });
        assert.ok(
          pods.events.some(({ uid, event }) =>
            uid === "uid-fails" && event.reason === "FailedPostStartHook"
          ),
        );
        pods.remove("fails", 0);
        await gone(pods, "fails");
      },
    );

    await t.step("a pod that runs longer than it may has failed", async () => {
      pods.put(testPod("late", {
        // Enough to be up on a busy machine: from then on it hears TERM.
        activeDeadlineSeconds: 8,
        terminationGracePeriodSeconds: 2,
        containers: [shell("main", TRAP)],
      }));
      const status = await phase(pods, "late", "Failed");
      assert.equal(status.reason, "DeadlineExceeded");
      assert.equal(status.containerStatuses?.[0]?.state.terminated?.exitCode, 0);
      pods.remove("late", 0);
      await gone(pods, "late");
    });

    await t.step("a liveness probe that fails restarts its container", async () => {
      pods.put(testPod("sick", {
        terminationGracePeriodSeconds: 30,
        containers: [
          shell(
            "main",
            "touch /tmp/well; sleep 1; rm /tmp/well; trap '' TERM; while :; do sleep 0.1; done",
            {
              livenessProbe: {
                exec: { command: ["test", "-e", "/tmp/well"] },
                periodSeconds: 1,
                failureThreshold: 1,
                initialDelaySeconds: 1,
                terminationGracePeriodSeconds: 1,
              },
            },
          ),
        ],
      }));
      const status = await pods.until("restarted", () => {
        const [main] = statusOf(pods, "sick").containerStatuses ?? [];
        return main && main.restartCount > 0 && main;
      });
      assert.equal((status.lastState.terminated ?? status.state.terminated)?.exitCode, 137);
      pods.remove("sick", 0);
      await gone(pods, "sick");
    });

    await t.step(
      "a debugger comes to a pod that runs and sees the processes of its target",
      async () => {
        pods.put(testPod("web", { containers: [shell("main", `echo up; exec sleep 12345`)] }));
        const before = await phase(pods, "web", "Running");
        change(pods, "web", (spec) => {
          spec.ephemeralContainers = [
            shell("dbg", "ps", {}),
            shell("dbg2", "ps", { targetContainerName: "main" }),
          ];
        });
        const status = await pods.until("the debuggers have ended", () => {
          const { ephemeralContainerStatuses: list = [] } = statusOf(pods, "web");
          return list.length === 2 && list.every((one) => one.state.terminated) &&
            statusOf(pods, "web");
        });
        // The last line of ps is its own.
        const seenBy = (name: string): Promise<string> =>
          pods.until(`the log of ${name} is there`, async () => {
            const text = (await lines(pods, ["web", name])).map((line) => line.text).join("\n");
            return /\bps$/m.test(text) && text;
          });
        const [own, target] = await Promise.all(["dbg", "dbg2"].map(seenBy));
        assert.doesNotMatch(own ?? "", /sleep 12345/);
        assert.match(target ?? "", /sleep 12345/);
        assert.equal(status.phase, "Running");
        assert.equal(
          status.containerStatuses?.[0]?.containerID,
          before.containerStatuses?.[0]?.containerID,
        );
        await pods.restart();
        await pods.until("looked at again", () => statusOf(pods, "web").phase === "Running");
      },
    );

    await t.step("a running container is given other resources", async () => {
      const resources = (cpu: string, memory: string) => ({
        requests: { cpu, memory },
        limits: { cpu, memory },
      });
      const script =
        "while :; do cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes; sleep 0.2; done";
      pods.put(testPod("size", {
        containers: [shell("main", script, { resources: resources("100m", "32Mi") })],
      }));
      const before = await phase(pods, "size", "Running");
      await pods.until(
        "the first limit",
        async () =>
          (await lines(pods, ["size", "main"])).some((line) => line.text === String(32 * 2 ** 20)),
      );
      change(pods, "size", (spec) => {
        for (const one of spec.containers) one.resources = resources("200m", "64Mi");
      });
      await pods.until(
        "the other limit",
        async () =>
          (await lines(pods, ["size", "main"])).some((line) => line.text === String(64 * 2 ** 20)),
      );
      const status = await pods.until("reported", () => {
        const { containerStatuses: [main] = [], conditions } = statusOf(pods, "size");
        const open = conditions?.some((one) => one.type.startsWith("PodResize"));
        return main?.resources?.limits?.memory === "64Mi" && !open && main;
      });
      assert.equal(status.containerID, before.containerStatuses?.[0]?.containerID);
      pods.remove("size", 0);
      await gone(pods, "size");
    });

    pods.remove("web", 0);
    await gone(pods, "web");
    const left = await runtime.observe(signal);
    assert.deepEqual([left.sandboxes, left.containers], [[], []]);
  },
});
