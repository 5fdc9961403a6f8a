import { ok, strictEqual } from "node:assert/strict";
import { loadMachineFacts } from "../../agent/node/mod.ts";
import { startBench, testPod } from "../../agent/pods/testing/mod.ts";
import { createCriRuntime, type Runtime } from "../../agent/runtimes/mod.ts";
import { NodeStats, type PodSummary } from "../../agent/stats/mod.ts";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { mib, seconds, silentLogger, systemClock } from "../../core/base/mod.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";
import { until } from "./gateway_process_lib.ts";

const never = new AbortController().signal;
const HELD = mib(24);
/** Cores that the busy container may burn. */
const LIMIT = 0.3;

const shell = (name: string, script: string, limits: Record<string, string> = {}) => ({
  name,
  image: TEST_IMAGES.busybox,
  imagePullPolicy: "IfNotPresent" as const,
  command: ["sh", "-c", script],
  resources: { limits },
});

Deno.test({
  ...await needsContainerd("NodeStats measures containers of a real containerd"),
  async fn(t) {
    await using containerd = await startContainerd();
    const connect = (): Runtime =>
      createCriRuntime({
        socketPath: containerd.socket,
        clock: systemClock,
        log: silentLogger,
        node: "n1",
      });
    await using runtime = connect();
    await using pods = await startBench({ connect });
    const stats = new NodeStats({
      node: "n1",
      facts: loadMachineFacts(systemClock),
      uptime: () => seconds(Deno.osUptime()),
      runtime,
      pods: () => pods.store.transact((tx) => tx.list(RESOURCES.pods) as Pod[]),
      paths: pods.manager.paths,
      stateDir: pods.dir,
      clock: systemClock,
    });
    const summaryOf = async (name: string): Promise<PodSummary> => {
      const summary = await stats.summary(never);
      const found = summary.pods.find(({ podRef }) => podRef.name === name);
      ok(found, `${name} is not in ${JSON.stringify(summary.pods)}`);
      return found;
    };
    pods.put(testPod("work", {
      terminationGracePeriodSeconds: 1,
      volumes: [{ name: "cache", emptyDir: {} }],
      containers: [
        shell("busy", "while :; do :; done", { cpu: `${LIMIT}` }),
        shell(
          "holder",
          `held=$(head -c ${HELD} /dev/zero | tr '\\0' x); echo held; while :; do sleep 1; done`,
          { memory: "128Mi" },
        ),
        {
          ...shell(
            "server",
            "head -c 3000000 /dev/zero > /cache/page; head -c 2000000 /dev/zero > /layer;" +
              " echo ready; exec httpd -f -p 8080 -h /cache",
          ),
          volumeMounts: [{ name: "cache", mountPath: "/cache" }],
        },
      ],
    }));
    await until("all containers have done what they do first", async () => {
      const logs = ["holder", "server"].map((name) =>
        Deno.readTextFile(`${pods.dir}/logs/default_work_uid-work/${name}/0.log`).catch(() => "")
      );
      return (await Promise.all(logs)).every((text) => / (held|ready)\n/.test(text)) || undefined;
    }, 90);

    await t.step("a container's CPU is what it burns, and its memory what it holds", async () => {
      const coresOf = ({ containers }: PodSummary): number =>
        (containers.find(({ name }) => name === "busy")?.cpu.usageNanoCores ?? 0) / 1e9;
      // Others may keep the machine busy: it can get less for a while, and never more.
      const summary = await until("the busy one gets its share", async () => {
        const found = await summaryOf("work");
        return coresOf(found) > LIMIT / 3 && found;
      }, 60);
      const { containers, cpu, process_stats } = summary;
      const of = (name: string) => containers.find((one) => one.name === name);
      const cores = coresOf(summary);
      ok(cores < LIMIT * 1.2, `${cores} cores`);
      ok((of("holder")?.cpu.usageNanoCores ?? 1e9) < 1e8);
      const memory = of("holder")?.memory;
      ok(
        (memory?.workingSetBytes ?? 0) > HELD && (memory?.workingSetBytes ?? 0) < mib(128),
        JSON.stringify(memory),
      );
      ok((memory?.availableBytes ?? 0) < mib(128) - HELD && (memory?.rssBytes ?? 0) > HELD);
      ok((cpu?.usageNanoCores ?? 0) >= cores * 1e9);
      ok((process_stats?.process_count ?? 0) >= 3);
    });

    await t.step("network counters grow by what is sent", async () => {
      const before = await summaryOf("work");
      const ip = pods.pod("work")?.status?.podIP;
      const page = await (await fetch(`http://${ip}:8080/page`)).arrayBuffer();
      strictEqual(page.byteLength, 3_000_000);
      const sent = await until("the counters are read anew", async () => {
        const { network } = await summaryOf("work");
        const grown = (network?.txBytes ?? 0) - (before.network?.txBytes ?? Infinity);
        return grown > 0 ? grown : undefined;
      });
      ok(sent > 3_000_000 && sent < 6_000_000, `${sent} bytes`);
      strictEqual(before.network?.name, "eth0");
    });

    await t.step("disks show volumes, writable layers and logs", async () => {
      const full = await until("containerd has measured the layer", async () => {
        const summary = await summaryOf("work");
        const server = summary.containers.find(({ name }) => name === "server");
        return (server?.rootfs?.usedBytes ?? 0) > 2_000_000 ? { ...summary, server } : undefined;
      });
      ok((full.volume?.[0]?.usedBytes ?? 0) >= 3_000_000);
      ok((full.server?.logs?.usedBytes ?? 0) > 0);
      ok((full["ephemeral-storage"]?.usedBytes ?? 0) > 5_000_000);
      ok((full.server?.rootfs?.capacityBytes ?? 0) > 0);
      await until("containerd has measured its images", async () => {
        const { node } = await stats.summary(never);
        return (node.fs?.capacityBytes ?? 0) > 0 && (node.runtime?.imageFs.usedBytes ?? 0) > 0;
      });
    });

    await t.step("the node burns at least what its pods burn", async () => {
      const { node, pods: [pod] } = await stats.summary(never);
      ok((node.cpu.usageNanoCores ?? 0) > 0.8 * (pod?.cpu?.usageNanoCores ?? Infinity));
      ok(node.memory.workingSetBytes > (pod?.memory?.workingSetBytes ?? Infinity));
    });

    await t.step("the metrics' texts have the same numbers", async () => {
      const labels = 'container="busy",namespace="default",pod="work"';
      const burnt = async (): Promise<number> => {
        const text = await stats.resourceMetrics(never);
        const row = text.split("\n").find((line) =>
          line.startsWith(`container_cpu_usage_seconds_total{${labels}} `)
        );
        return Number(row?.split(" ")[1]);
      };
      const first = await burnt();
      ok(await until("more is burnt", async () => await burnt() > first));
      const text = await stats.cadvisorMetrics(never);
      ok(/^container_network_transmit_bytes_total\{.*pod="work",interface="eth0"\} \d/m.test(text));
      ok(/^container_spec_cpu_quota\{container="busy".*\} 30000 /m.test(text), text);
    });
  },
});
