// The chart on a real API server, and the hub as its pod says.
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { RESOURCES } from "../../core/api/mod.ts";
import { isEstablished } from "../../tools/kube/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { findHelm } from "../../tools/helm.ts";
import { type HubAt, nodeReady, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { type Output, type Running, runToEnd, until } from "../e2e/gateway_process_lib.ts";
import { ACCOUNT, CHART, tokenOf } from "./chart.ts";
import { TestCluster } from "./cluster.ts";
import { podCommand } from "./pod_process.ts";

const missing = lacks("kube", "helm", "kubectl", "netns");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
/** An address of this machine that no other test listens on. */
const POD_IP = "127.0.10.77";
const NODE_PORT = 10_000;
const WEBHOOKS_KIND = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/skerry-hub";

Deno.test({
  name:
    `the chart is installed, upgraded, rolled back and removed, and its gateway stays${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      const { kubeconfig } = cluster.parts;
      const helmPath = await findHelm();
      const tryHelm = async (verb: string, ...args: readonly string[]): Promise<Output> =>
        await runToEnd(
          [helmPath, verb, `--kubeconfig=${kubeconfig}`, "--namespace=skerry-system", ...args],
          { env: { HOME: site.folder }, limit: 60 },
        );
      const helm = async (verb: string, ...args: readonly string[]): Promise<string> => {
        const { code, out, err } = await tryHelm(verb, ...args);
        assert.equal(code, 0, `helm ${verb} ${args.join(" ")}: ${out}${err}`);
        return out;
      };
      const kubectl = (...args: string[]) => site.kubectl(kubeconfig, args);
      const api = await site.client(kubeconfig);
      const agent = (): Running => {
        const found = site.processes.find(({ name }) => name === "agent gw1");
        assert.ok(found);
        return found;
      };
      let starts = 0;
      /** Does what a kubelet would do for a pod of the Deployment as it is now. */
      const runPod = async (): Promise<HubAt> => {
        const path = "/apis/apps/v1/namespaces/skerry-system/deployments/skerry-hub";
        const { spec: { template: { spec } } } = await api.request("GET", path);
        const command = await podCommand(spec, {
          server: new URL(cluster.client.server),
          podIP: POD_IP,
          folder: `${site.folder}/pod-${starts++}`,
          token: await tokenOf(cluster, ACCOUNT),
          ca: await Deno.readTextFile(cluster.ca),
        });
        const process = site.start("hub", command);
        const { containers: [{ readinessProbe: { httpGet } }] } = spec;
        assert.equal(httpGet.port, "metrics");
        await until("its readiness probe is answered", async () => {
          if (process.code !== undefined) throw new Error(process.output);
          const response = await fetch(`http://${POD_IP}:9091${httpGet.path}`);
          await response.body?.cancel();
          return response.ok;
        });
        return { process, nodePort: NODE_PORT, kubeconfig, embedded: false };
      };
      const stop = async ({ process }: HubAt): Promise<void> => {
        process.signal("SIGTERM");
        // The Deployment gives it 40 s, of which it uses 10 to send gateways away.
        assert.equal(await process.exit(40), 0);
      };
      const linksOf = (): number => agent().output.split("link is up").length - 1;
      const linkedAgain = async (links: number): Promise<void> => {
        await until("the gateway is back", () => linksOf() > links, 60);
        // Not by the API server's proxy: it calls no address of this machine's own.
        await until("its kubelet answers where its Node says", async () => {
          const { status } = await api.request("GET", "/api/v1/nodes/gw1");
          const { Port } = status.daemonEndpoints.kubeletEndpoint;
          const host = `${status.addresses[0].address}:${Port}`;
          return JSON.parse(await cluster.askKubelet(host, "/stats/summary")).node.nodeName;
        });
        await until("it is Ready", async () => await nodeReady(api, "gw1") === "True");
      };
      let hub: HubAt;

      await step("another namespace is refused", async () => {
        const { code, err } = await tryHelm("install", "skerry", CHART, "--namespace=default");
        assert.notEqual(code, 0);
        assert.match(err, /--namespace skerry-system --create-namespace/);
      });

      await step("helm installs it, with its kinds", async () => {
        const notes = await helm("install", "skerry", CHART, "--create-namespace");
        assert.match(notes, /token create --node gateway-1/);
        const kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        await until(
          "its kinds are established",
          async () => isEstablished(await api.request("GET", `${kinds}/wasmfunctions.skerry.dev`)),
        );
        await until("its pod waits for a node", async () => {
          const { items } = await api.request("GET", "/api/v1/namespaces/skerry-system/pods");
          return items.length === 1 && items[0].status.phase === "Pending";
        });
      });

      await step("a second one in the same cluster is refused", async () => {
        const { code, err } = await tryHelm("install", "another", CHART);
        assert.notEqual(code, 0);
        assert.match(err, /This cluster has a Skerry hub already: release skerry/);
        const again = await tryHelm("install", "skerry", CHART);
        assert.notEqual(again.code, 0);
        assert.match(again.err, /name that is still in use/);
      });

      await step("the hub runs as the pod says, and a gateway joins", async () => {
        hub = await runPod();
        const token = await site.token(hub, "gw1");
        await site.agent("gw1", { hub: `127.0.0.1:${NODE_PORT}`, token });
        await linkedAgain(0);
        const { status } = await api.request("GET", "/api/v1/nodes/gw1");
        assert.equal(status.addresses[0].address, POD_IP);
      });

      const webhooks = async () => (await api.request("GET", WEBHOOKS)).webhooks;
      await step("API servers know its webhook, by the name of its Service", async () => {
        const [{ clientConfig }] = await until("the hub has told its CA", async () => {
          const all = await webhooks();
          return all[0].clientConfig.caBundle && all;
        });
        const { service, caBundle } = clientConfig;
        const socket = connect({
          ...{ host: POD_IP, port: 9443, ca: atob(caBundle) },
          servername: `${service.name}.${service.namespace}.svc`,
        });
        try {
          await new Promise((resolve, reject) => {
            socket.once("secureConnect", resolve).once("error", reject);
          });
        } finally {
          socket.destroy();
        }
      });

      await step("an upgrade and a rollback keep the gateway", async () => {
        for (
          const [verb, args, level] of [
            ["upgrade", ["skerry", CHART, "--set=logLevel=debug"], true],
            ["rollback", ["skerry", "1"], false],
          ] as const
        ) {
          const links = linksOf();
          await helm(verb, ...args);
          assert.ok((await webhooks())[0].clientConfig.caBundle);
          await stop(hub);
          hub = await runPod();
          const line = await Deno.readTextFile(`/proc/${hub.process.pid}/cmdline`);
          assert.equal(line.includes("--log-level=debug"), level);
          await linkedAgain(links);
        }
        assert.match(agent().output, /"joined"/);
        assert.equal(agent().output.split('"joined"').length, 2, "it has joined once");
      });

      await step("only pods that may ask for autonomy are asked about", async () => {
        // No Service has an address that is reached here.
        const [{ clientConfig: { caBundle }, ...rest }] = await webhooks();
        const url = `https://${POD_IP}:9443/mutate/pods`;
        const changed = JSON.stringify({
          webhooks: [{ ...rest, clientConfig: { caBundle, url } }],
        });
        await kubectl("patch", "--type=merge", `-p=${changed}`, WEBHOOKS_KIND, "skerry-hub");
        const labels = { "app-offline.kubeedge.io": "autonomy" };
        await cluster.apply({
          apiVersion: "apps.kubeedge.io/v1alpha1",
          kind: "NodeGroup",
          metadata: { name: "plant", labels },
          spec: {},
        });
        let count = 0;
        const stays = async (metadata: object, spec: object): Promise<boolean> => {
          const pod = await api.request("POST", "/api/v1/namespaces/default/pods", {
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: `pod-${count++}`, ...metadata },
            spec: {
              schedulerName: "nobody",
              containers: [{ name: "main", image: "none" }],
              ...spec,
            },
          });
          return pod.spec.tolerations.every((one: { tolerationSeconds?: number }) =>
            one.tolerationSeconds === undefined
          );
        };
        await until("it is asked", () => stays({ labels }, {}));
        const nodeSelector = { "apps.kubeedge.io/belonging-to": "plant" };
        await until("it knows the group", () => stays({}, { nodeSelector }));
        assert.equal(await stays({ labels: { app: "x" } }, {}), false);
        assert.equal(await stays({}, {}), false);
      });

      await step("helm removes it; kinds and what makes gateways known stay", async () => {
        await stop(hub);
        await helm("uninstall", "skerry");
        const kinds = await kubectl("get", "crd", "-o", "name");
        assert.match(kinds, /wasmfunctions\.skerry\.dev/);
        const secret = { resource: RESOURCES.secrets, namespace: "skerry-system" };
        await cluster.store.get({ ...secret, name: "skerry-ca" });
        await cluster.store.get({ ...secret, name: "skerry-node-gw1" });
        const roles = await kubectl("get", "clusterroles,clusterrolebindings", "-o", "name");
        assert.doesNotMatch(roles, /skerry/);
      });

      await step("installed anew, it knows its gateway", async () => {
        const links = linksOf();
        await helm("install", "anew", CHART);
        hub = await runPod();
        await linkedAgain(links);
      });
    }),
});
