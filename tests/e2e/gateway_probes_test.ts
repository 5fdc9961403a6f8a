import assert from "node:assert/strict";
import type { EndpointSlice, Pod } from "../../core/api/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { podsOf, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-probes";

Deno.test({
  name: `what probes say of a Deployment decides who stands behind its Service${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const shared = `${site.folder}/shared`;
      await Deno.mkdir(shared);
      for (const folder of [site.folder, shared]) await Deno.chmod(folder, 0o755);
      const touch = (name: string): Promise<void> => Deno.writeTextFile(`${shared}/${name}`, "");
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      const pod = async (): Promise<Pod | undefined> => (await podsOf(api, "app=web"))[0];
      const endpoints = async (): Promise<(boolean | undefined)[]> => {
        const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
        const { items } = await api.request("GET", path);
        return (items as EndpointSlice[]).flatMap((slice) =>
          slice.endpoints.map(({ conditions }) => conditions?.ready)
        );
      };
      const served = async (ready: boolean): Promise<void> => {
        await until(`the endpoint is ${ready ? "" : "not "}ready`, async () => {
          assert.deepEqual(await endpoints(), [ready]);
          return true;
        });
      };

      await step("a pod that is not ready is no endpoint", async () => {
        await touch("alive");
        await site.apply(hub.kubeconfig, ...deployment(shared));
        await until("the probe has failed", async () => {
          const events = await site.kubectl(hub.kubeconfig, ["get", "events"]);
          assert.match(events, /Readiness probe failed: HTTP probe failed with statuscode: 404/);
          return true;
        });
        await served(false);
        await until("its status says that it has started", async () => {
          const status = (await pod())?.status;
          return status?.containerStatuses?.[0]?.started === true && status.phase === "Running";
        });
      });

      await step("it is one as soon as it is ready, and no longer than that", async () => {
        await touch("ready");
        await served(true);
        await Deno.remove(`${shared}/ready`);
        await served(false);
        await touch("ready");
        await served(true);
      });

      await step("a liveness probe restarts its container", async () => {
        await Deno.remove(`${shared}/alive`);
        await until("it was restarted", async () => {
          assert.equal((await pod())?.status?.containerStatuses?.[0]?.restartCount, 1);
          return true;
        });
        await touch("alive");
        await served(true);
        await until("events tell of it", async () => {
          const events = await site.kubectl(hub.kubeconfig, ["get", "events"]);
          assert.match(events, /Liveness probe failed: cat: can't open '\/shared\/alive'/);
          assert.match(events, /Container main failed liveness probe, will be restarted/);
          return true;
        });
      });

      await step("the node counts what its probes came to, as a kubelet does", async () => {
        const metrics = await site.kubectl(hub.kubeconfig, [
          ...["get", "--raw", `/api/v1/nodes/${NODE}/proxy/metrics/probes`],
        ]);
        const { name, uid } = (await pod())?.metadata ?? {};
        const row = (type: string, result: string): RegExp =>
          new RegExp(
            `^prober_probe_total{container="main",namespace="default",pod="${name}",` +
              `pod_uid="${uid}",probe_type="${type}",result="${result}"} [1-9]`,
            "m",
          );
        for (const type of ["Readiness", "Liveness"]) {
          for (const result of ["successful", "failed"]) {
            assert.match(metrics, row(type, result));
          }
        }
      });

      await step("a pod in the host's network is asked at the node", async () => {
        const port = site.port("host-pod");
        const made = shellPod("host", `exec httpd -f -p ${port} -h /`, { hostNetwork: true });
        const [container] = made["spec"].containers;
        container.readinessProbe = { httpGet: { port, path: "/etc/passwd" }, periodSeconds: 1 };
        await site.apply(hub.kubeconfig, made);
        await readyPod(api, "host");
      });

      await step("kubectl is told by field what is wrong with a probe", async () => {
        const made = shellPod("bad", "sleep 1");
        made["spec"].containers[0].livenessProbe = { tcpSocket: { port: 0 }, periodSeconds: -1 };
        const { code, err } = await site.tryKubectl(hub.kubeconfig, ["apply", "-f", "-"], {
          stdin: JSON.stringify(made),
        });
        assert.notEqual(code, 0);
        assert.match(
          err,
          /spec\.containers\[0\]\.livenessProbe\.tcpSocket\.port: Invalid value: 0/,
        );
        assert.match(err, /spec\.containers\[0\]\.livenessProbe\.periodSeconds: Invalid value: -1/);
      });
    }),
});

/** A Deployment whose readiness and liveness are files in `shared`, and its Service. */
function deployment(shared: string): unknown[] {
  const metadata = { name: "web", namespace: "default" };
  const labels = { app: "web" };
  const container = {
    name: "main",
    image: TEST_IMAGES.busybox,
    imagePullPolicy: "IfNotPresent",
    command: ["httpd", "-f", "-p", "8080", "-h", "/shared"],
    ports: [{ name: "http", containerPort: 8080 }],
    volumeMounts: [{ name: "shared", mountPath: "/shared" }],
    startupProbe: { tcpSocket: { port: "http" }, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: {
      httpGet: { port: "http", path: "/ready" },
      periodSeconds: 1,
      failureThreshold: 1,
    },
    livenessProbe: {
      exec: { command: ["cat", "/shared/alive"] },
      periodSeconds: 1,
      // A busy machine may take its time, and a restart is counted here.
      timeoutSeconds: 10,
      failureThreshold: 2,
    },
  };
  const spec = {
    terminationGracePeriodSeconds: 1,
    containers: [container],
    volumes: [{ name: "shared", hostPath: { path: shared } }],
  };
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ port: 80, targetPort: "http" }] },
    },
  ];
}
