import assert from "node:assert/strict";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { containersOf, podOf, podsOf, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-changes";
const GATE = "example.com/traffic";

Deno.test({
  name: `kubectl changes what may change of a pod that runs on a gateway${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      const kubectl = (...args: string[]): Promise<string> => site.kubectl(hub.kubeconfig, args);
      const patch = async (subresource: string, body: object): Promise<string> =>
        await kubectl(
          ...["patch", "pod", "web", `--subresource=${subresource}`, "--patch"],
          JSON.stringify(body),
        );

      await step("a readiness gate is opened from outside", async () => {
        const pod = shellPod("web", "exec sleep 12345", {
          readinessGates: [{ conditionType: GATE }],
        });
        pod["spec"].containers[0].resources = { requests: { cpu: "100m" } };
        await site.apply(hub.kubeconfig, pod);
        await until("the gate keeps it from Ready", async () => {
          const ready = (await podOf(api, "web"))?.status?.conditions?.find((one) =>
            one.type === "Ready"
          );
          return ready?.reason === "ReadinessGatesNotReady";
        });
        await patch("status", { status: { conditions: [{ type: GATE, status: "True" }] } });
        await readyPod(api, "web");
      });

      const before = containersOf(await podsOf(api));

      await step("kubectl debug adds a container that sees the target's processes", async () => {
        await kubectl(
          ...["debug", "web", "--container=dbg", "--target=main", "--profile=general"],
          ...[`--image=${TEST_IMAGES.busybox}`, "--image-pull-policy=IfNotPresent"],
          ...["--", "ps"],
        );
        await until("the debugger has ended, and seen it", async () => {
          const [dbg] = (await podOf(api, "web"))?.status?.ephemeralContainerStatuses ?? [];
          if (!dbg?.state.terminated) throw new Error(JSON.stringify(dbg ?? "not started"));
          assert.match(await kubectl("logs", "web", "--container=dbg"), /sleep 12345/);
          return true;
        });
      });

      await step("kubectl patch --subresource resize gives it other resources", async () => {
        const resources = { requests: { cpu: "200m" } };
        await patch("resize", { spec: { containers: [{ name: "main", resources }] } });
        await until("the pod has them", async () => {
          const [main] = (await podOf(api, "web"))?.status?.containerStatuses ?? [];
          return main?.resources?.requests?.["cpu"] === "200m";
        });
        await until("it is told", async () => {
          const events = await kubectl("get", "events");
          return /ResizeStarted/.test(events) && /ResizeCompleted/.test(events);
        });
        await until("its conditions are about the new spec, and nothing is under way", async () => {
          const { metadata, status } = await readyPod(api, "web");
          const about = (type: string): number | undefined =>
            status?.conditions?.find((one) => one.type === type)?.observedGeneration;
          assert.equal(about("Ready"), metadata.generation);
          assert.equal(about("PodResizeInProgress"), undefined);
          return true;
        });
      });

      await step("nothing of that restarted anything", async () => {
        assert.deepEqual(containersOf(await podsOf(api)), before);
        await readyPod(api, "web");
      });

      await step(
        "a pod that somebody says has failed is stopped, and never runs again",
        async () => {
          await patch("status", { status: { phase: "Failed", reason: "Lost" } });
          const phases = new Set<string | undefined>();
          await until("its container has ended", async () => {
            const { status } = await podOf(api, "web") ?? {};
            phases.add(status?.phase);
            return status?.containerStatuses?.[0]?.state.terminated !== undefined;
          });
          const { status } = await podOf(api, "web") ?? {};
          assert.deepEqual([[...phases], status?.reason], [["Failed"], "Lost"]);
          assert.equal(status?.containerStatuses?.[0]?.restartCount, 0);
          await kubectl("delete", "pod", "web", "--wait", "--timeout=60s");
        },
      );
    }),
});
