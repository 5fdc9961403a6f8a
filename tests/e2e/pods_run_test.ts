import assert from "node:assert/strict";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { type PodBench, startBench, testPod } from "../../agent/pods/testing/mod.ts";
import { type Pod, type PodSpec, RESOURCES } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { type Containerd, startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";

async function bench(containerd: Containerd): Promise<PodBench> {
  const { socket: socketPath } = containerd;
  return await startBench({
    connect: () =>
      createCriRuntime({ socketPath, clock: systemClock, log: silentLogger, node: "n1" }),
  });
}

function shell(name: string, script: string, spec: Partial<PodSpec> = {}): Pod {
  const container = {
    name: "main",
    image: TEST_IMAGES.busybox,
    imagePullPolicy: "IfNotPresent" as const,
    command: ["sh", "-c", script],
  };
  const { containers, ...rest } = spec;
  return testPod(name, {
    terminationGracePeriodSeconds: 2,
    ...rest,
    containers: [{ ...container, ...containers?.[0] }],
  });
}

async function running(pods: PodBench, name: string): Promise<NonNullable<Pod["status"]>> {
  return await pods.until(`${name} runs`, () => {
    const status = pods.pod(name)?.status;
    return status?.containerStatuses?.[0]?.state.running && status;
  });
}

async function ended(pods: PodBench, name: string): Promise<NonNullable<Pod["status"]>> {
  return await pods.until(`${name} ends`, () => {
    const status = pods.pod(name)?.status;
    return (status?.phase === "Succeeded" || status?.phase === "Failed") && status;
  });
}

function logFile(pods: PodBench, name: string, attempt = 0): string {
  return `${pods.dir}/logs/default_${name}_uid-${name}/main/${attempt}.log`;
}

async function output(pods: PodBench, name: string, attempt = 0): Promise<string[]> {
  const text = await Deno.readTextFile(logFile(pods, name, attempt));
  return text.split("\n").filter(Boolean).map((line) => line.split(" ").slice(3).join(" "));
}

Deno.test({
  ...await needsContainerd("PodManager runs pods on a real containerd"),
  async fn(t) {
    await using containerd = await startContainerd();
    await using pods = await bench(containerd);

    await t.step(
      "a pod sees its configMap, secret, emptyDir, hostPath and environment",
      async () => {
        pods.store.transact((tx) => {
          tx.put(RESOURCES.configmaps, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: "cm", namespace: "default", uid: "cm" },
            data: { greeting: "hello", "app.conf": "a=1\n" },
          });
          tx.put(RESOURCES.secrets, {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name: "sec", namespace: "default", uid: "sec" },
            data: { password: btoa("s3cret") },
          });
        });
        const script = [
          "cat /cm/app.conf",
          "cat /sec/password; echo",
          'echo "$GREETING from $POD_NAME on $NODE $POD_IP"',
          "echo x > /scratch/file && cat /scratch/file",
          "cat /host/seen",
          "cat /one/app.conf",
          'grep -c "$POD_IP" /etc/hosts',
          "stat -c %a /sec/password -L",
          "hostname",
          "echo bye > /dev/termination-log",
          "touch /root-fs 2>/dev/null || echo read-only",
          "id -u",
        ].join("\n");
        await Deno.mkdir(`${pods.dir}/host`);
        await Deno.writeTextFile(`${pods.dir}/host/seen`, "from the host\n");
        pods.put(shell("all", script, {
          restartPolicy: "Never",
          containers: [{
            name: "main",
            image: TEST_IMAGES.busybox,
            securityContext: { readOnlyRootFilesystem: true, runAsUser: 1234 },
            env: [
              { name: "GREETING", valueFrom: { configMapKeyRef: { name: "cm", key: "greeting" } } },
              { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
              { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            ],
            resources: { limits: { memory: "64Mi", cpu: "500m" } },
            volumeMounts: [
              { name: "cm", mountPath: "/cm" },
              { name: "sec", mountPath: "/sec" },
              { name: "scratch", mountPath: "/scratch" },
              { name: "host", mountPath: "/host", readOnly: true },
              { name: "cm", mountPath: "/one/app.conf", subPath: "app.conf" },
            ],
          }],
          volumes: [
            { name: "cm", configMap: { name: "cm" } },
            { name: "sec", secret: { secretName: "sec", defaultMode: 0o444 } },
            { name: "scratch", emptyDir: {} },
            { name: "host", hostPath: { path: `${pods.dir}/host`, type: "Directory" } },
          ],
        }));
        const status = await ended(pods, "all");
        // A runtime may still be writing when it says that all has ended.
        const lines = await pods.until("its last line is there", async () => {
          const found = await output(pods, "all");
          return found.at(-1) === "1234" && found;
        });
        const ip = status.podIP;
        assert.deepEqual(lines, [
          "a=1",
          "s3cret",
          `hello from all on n1 ${ip}`,
          "x",
          "from the host",
          "a=1",
          "1",
          "444",
          "all",
          "read-only",
          "1234",
        ]);
        assert.equal(status.phase, "Succeeded");
        assert.equal(status.containerStatuses?.[0]?.state.terminated?.message, "bye\n");
        assert.equal(status.qosClass, "Guaranteed");
        pods.remove("all");
        await pods.until("all is gone", () => pods.gone.includes("uid-all"));
        await assert.rejects(Deno.stat(`${pods.dir}/state/pods/uid-all`), Deno.errors.NotFound);
      },
    );

    await t.step("a crash loop restarts once at once and then backs off", async () => {
      pods.put(shell("crash", "echo run; exit 3"));
      const status = await pods.until("backing off", () => {
        const now = pods.pod("crash")?.status;
        return now?.containerStatuses?.[0]?.state.waiting?.reason === "CrashLoopBackOff" && now;
      });
      const [main] = status.containerStatuses ?? [];
      assert.equal(main?.restartCount, 1);
      assert.equal(main?.lastState.terminated?.exitCode, 3);
      assert.equal(status.phase, "Running");
      await pods.until(
        "the second run has said it",
        async () => `${await output(pods, "crash", 1)}` === "run",
      );
      pods.remove("crash", 0);
      await pods.until("crash is gone", () => pods.gone.includes("uid-crash"));
    });

    await t.step("a container killed for its memory says OOMKilled", async () => {
      pods.put(shell("oom", "head -c 200m /dev/zero | tail", {
        restartPolicy: "Never",
        containers: [{
          name: "main",
          image: TEST_IMAGES.busybox,
          resources: { limits: { memory: "16Mi" } },
        }],
      }));
      const status = await ended(pods, "oom");
      assert.equal(status.containerStatuses?.[0]?.state.terminated?.reason, "OOMKilled");
      pods.remove("oom", 0);
    });

    await t.step("a manager that restarts adopts the same containers", async () => {
      pods.put(shell("stay", "sleep 1000"));
      const before = await running(pods, "stay");
      await pods.restart();
      pods.manager.lookAgain();
      pods.put({
        ...pods.pod("stay") as Pod,
        metadata: { ...testPod("stay").metadata, labels: { a: "b" } },
      });
      const after = await running(pods, "stay");
      assert.equal(
        after.containerStatuses?.[0]?.containerID,
        before.containerStatuses?.[0]?.containerID,
      );
      assert.equal(after.containerStatuses?.[0]?.restartCount, 0);
    });

    await t.step(
      "pods live on while containerd is away, and are worked on when it is back",
      async () => {
        const before = await running(pods, "stay");
        await containerd.stop("SIGKILL");
        pods.put(shell("late", "sleep 1000"));
        await containerd.start();
        await running(pods, "late");
        const after = await running(pods, "stay");
        assert.equal(
          after.containerStatuses?.[0]?.containerID,
          before.containerStatuses?.[0]?.containerID,
        );
      },
    );

    await t.step("a deletion gives the container its grace, then kills it", async () => {
      pods.put(
        shell("polite", "trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.1; done"),
      );
      pods.put(shell("stubborn", "trap '' TERM; echo up; while :; do sleep 1; done"));
      for (const name of ["polite", "stubborn"]) {
        await running(pods, name);
        await pods.until(`${name} is up`, async () => (await output(pods, name)).includes("up"));
      }
      pods.remove("polite", 30);
      await pods.until("polite is gone", () => pods.gone.includes("uid-polite"));
      const asked = systemClock.monotonic();
      pods.remove("stubborn", 2);
      await pods.until("stubborn is gone", () => pods.gone.includes("uid-stubborn"));
      const took = systemClock.monotonic() - asked;
      assert.ok(took >= 1900 && took < 15_000, `took ${took} ms`);
    });

    await t.step("an image that cannot be pulled is named in the status", async () => {
      pods.put(testPod("pull", {
        containers: [{ name: "main", image: "127.0.0.1:1/none/such:1" }],
      }));
      const status = await pods.until("image error", () => {
        const now = pods.pod("pull")?.status;
        const reason = now?.containerStatuses?.[0]?.state.waiting?.reason;
        return (reason === "ErrImagePull" || reason === "ImagePullBackOff") && now;
      });
      assert.equal(status.phase, "Pending");
      assert.match(status.containerStatuses?.[0]?.state.waiting?.message ?? "", /127\.0\.0\.1:1/);
      pods.remove("pull", 0);
      await pods.until("pull is gone", () => pods.gone.includes("uid-pull"));
    });

    await t.step("a changed configMap shows in a running pod", async () => {
      pods.put(shell("live", "sleep 1000", {
        containers: [{
          name: "main",
          image: TEST_IMAGES.busybox,
          volumeMounts: [{ name: "cm", mountPath: "/cm" }],
        }],
        volumes: [{ name: "cm", configMap: { name: "cm" } }],
      }));
      await running(pods, "live");
      pods.store.transact((tx) =>
        tx.put(RESOURCES.configmaps, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "cm", namespace: "default", uid: "cm" },
          data: { greeting: "changed" },
        })
      );
      const file = `${pods.dir}/state/pods/uid-live/volumes/kubernetes.io~configmap/cm/greeting`;
      await pods.until("changed", async () => await Deno.readTextFile(file) === "changed");
      await assert.rejects(Deno.stat(file.replace("greeting", "app.conf")), Deno.errors.NotFound);
    });

    await t.step("logs are followed to the end of the run, and of the run before", async () => {
      const options = { container: "main", follow: true, previous: false, timestamps: false };
      const of = { namespace: "default", name: "talk" };
      const open = new AbortController().signal;
      pods.put(shell("talk", "echo one; sleep 0.5; echo two; exit 1"));
      await running(pods, "talk");
      const stream = pods.manager.readLogs({ ...of, options }, open);
      assert.equal(await new Response(stream).text(), "one\ntwo\n");
      await pods.until("backing off", () => {
        const [main] = pods.pod("talk")?.status?.containerStatuses ?? [];
        return main?.restartCount === 1 && main.state.waiting?.reason === "CrashLoopBackOff";
      });
      const before = { ...options, follow: false, previous: true, tailLines: 1 };
      const last = pods.manager.readLogs({ ...of, options: before }, open);
      assert.equal(await new Response(last).text(), "two\n");
      const wrong = { ...options, container: "none" };
      assert.throws(() => pods.manager.readLogs({ ...of, options: wrong }, open), /not valid/);
      pods.remove("talk", 0);
      await pods.until("talk is gone", () => pods.gone.includes("uid-talk"));
    });

    await t.step("a changed image restarts the container with it", async () => {
      pods.put(shell("move", "id -u; exec sleep 1000"));
      await running(pods, "move");
      const pod = structuredClone(pods.pod("move")) as Pod;
      pod.spec.containers = pod.spec.containers.map((one) => ({
        ...one,
        image: TEST_IMAGES.nonroot,
      }));
      pods.put(pod);
      await pods.until("runs as the other user", async () => {
        const lines = await output(pods, "move", 1).catch((): string[] => []);
        return lines.includes("1000");
      });
      pods.remove("move", 0);
      await pods.until("move is gone", () => pods.gone.includes("uid-move"));
    });

    for (const name of ["stay", "late", "live"]) pods.remove(name, 0);
    await pods.until(
      "all gone",
      () => pods.pod("stay") === undefined && pods.pod("late") === undefined,
    );
  },
});
