import assert from "node:assert/strict";
import { errorText } from "../../core/base/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { findKubectl } from "../../tools/kubectl.ts";
import { TestNetwork } from "../e2e/gateway_net_lib.ts";
import {
  call,
  containersOf,
  podsOf,
  readyPod,
  shellPod,
  Site,
  stepsOf,
} from "../e2e/gateway_lib.ts";
import { type Output, until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";
import { ACCOUNT, ROBOT_RIGHTS } from "./robot.ts";

const missing = lacks("kube", "containerd", "kubectl", "netns");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** A pod with a real kubectl, which finds the API as every client in a cluster does. */
async function robot(name: string, spec: Readonly<Record<string, unknown>> = {}) {
  const pod = shellPod(name, "sleep 1000", { serviceAccountName: "robot", ...spec });
  const { containers: [container] } = pod["spec"] as { containers: Record<string, unknown>[] };
  return {
    ...pod,
    spec: {
      ...pod["spec"] as Record<string, unknown>,
      containers: [{
        ...container,
        volumeMounts: [{ name: "kubectl", mountPath: "/bin/kubectl" }],
      }],
      volumes: [{ name: "kubectl", hostPath: { path: await findKubectl() } }],
    },
  };
}

Deno.test({
  name: `a pod at the edge uses the Kubernetes API with its own rights, hub or no hub${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const { kubeconfig } = cluster.parts;
      const containerd = await site.containerd();
      let hub = await site.hubOn(kubeconfig);
      const api = await site.client(kubeconfig);
      const agent = await joinGateway(site, { name: "gw1", hub, api, containerd });
      // By the node's own API: it is there without a hub as well.
      const run = (pod: string, script: string): Promise<Output> =>
        site.tryKubectl(agent.kubeconfig, ["exec", pod, "--", "sh", "-c", script]);
      const ask = async (pod: string, args: string): Promise<string> => {
        const { code, out, err } = await run(pod, `kubectl ${args}`);
        if (code !== 0) throw new Error(`kubectl ${args}: ${out}${err}`);
        return out.trim();
      };
      const refused = async (pod: string, args: string, why: RegExp): Promise<void> => {
        const { code, out, err } = await run(pod, `kubectl ${args}`);
        assert.notEqual(code, 0, out);
        assert.match(err, why);
      };
      /** As somebody who has another token, from inside a pod. */
      const withToken = (token: string): string =>
        "--server=https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT " +
        `--certificate-authority=${ACCOUNT}/ca.crt --token=${token} get pods`;
      let before: Record<string, string> = {};
      let foreign = "";
      let former = "";

      await step("pods with a Role run, in the pods' network and in the host's", async () => {
        await cluster.untilPodsCanBeMade("default");
        await site.apply(kubeconfig, ...ROBOT_RIGHTS);
        await site.apply(
          kubeconfig,
          await robot("app"),
          await robot("short"),
          await robot("host", { hostNetwork: true }),
          shellPod("nowhere", "sleep 1", { nodeSelector: { no: "node" } }),
        );
        for (const name of ["app", "short", "host"]) await readyPod(api, name);
        await until("the node holds the endpoints", async () => {
          const list = ["get", "endpointslices", "-o", "name"];
          return /shown/.test((await site.tryKubectl(agent.kubeconfig, list)).out);
        });
        former = (await run("short", `cat ${ACCOUNT}/token`)).out.trim();
        foreign = (await site.kubectl(kubeconfig, ["create", "token", "robot"])).trim();
      });

      await step("the cluster answers, by the rights of the pod", async () => {
        for (const pod of ["app", "host"]) {
          const names = await ask(pod, "get pods -o name");
          assert.deepEqual(names.split("\n").sort(), [
            "pod/app",
            "pod/host",
            "pod/nowhere",
            "pod/short",
          ]);
        }
        await refused(
          "app",
          "get secrets",
          /forbidden: User "system:serviceaccount:default:robot"/,
        );
        await refused("app", "get nodes", /forbidden/);
        await ask("app", "create configmap made --from-literal=by=robot");
        const made = await api.request("GET", "/api/v1/namespaces/default/configmaps/made");
        assert.deepEqual(made.data, { by: "robot" });
        const { gitVersion } = await api.request("GET", "/version");
        assert.equal(JSON.parse(await ask("app", "get --raw /version")).gitVersion, gitVersion);
        assert.match(await ask("app", "get --raw /apis"), /rbac.authorization.k8s.io/);
        assert.match(await ask("app", "auth whoami"), /serviceaccount:default:robot/);
        const own = withToken(`$(cat ${ACCOUNT}/token)`);
        await refused("app", `--as=system:admin ${own}`, /impersonation is not served/);
        await refused("app", "exec app -- true", /not served to pods|unable to upgrade/);
        const counts = await call(`http://127.0.0.1:${site.port("hub-metrics")}/metrics`);
        for (const sample of ['requests_total{result="ok"}', "request_seconds_count"]) {
          assert.match(counts, new RegExp(`^skerry_hub_pod_${sample} [1-9]`, "m"));
        }
      });

      await step("a token that is of no pod of this node is refused", async () => {
        await refused("app", withToken(foreign), /Unauthorized|must be logged in/);
        await site.kubectl(kubeconfig, ["delete", "pod", "short", "--grace-period=1"]);
        await until(
          "the node has let it go",
          async () => (await site.tryKubectl(agent.kubeconfig, ["get", "pod", "short"])).code !== 0,
        );
        await refused("app", withToken(former), /Unauthorized|must be logged in/);
        assert.match(await ask("app", withToken(`$(cat ${ACCOUNT}/token)`)), /app/);
      });

      await step("nobody else in the site's network gets as far as TLS", async () => {
        const network = site.hold(await TestNetwork.open());
        const { netns } = await network.add();
        const url = `https://${network.address}:${site.port("gw1-api")}/version`;
        await assert.rejects(
          call(url, netns),
          /tls handshake eof|connection (was )?(closed|reset)/i,
        );
        // It listens there: this machine itself gets its certificate, which it does not know.
        await assert.rejects(fetch(url), (error) => /certificate/i.test(errorText(error)));
      });

      await step("the hub is away: what the node holds, by the rights told last", async () => {
        // A watch of the cluster must end with the link, or its client would wait for ever.
        const watch = site.start(
          "watch",
          site.kubectlCommand(agent.kubeconfig, [
            ...["exec", "app", "--", "sh", "-c"],
            "kubectl get pods -w -o name; echo the watch has ended",
          ]),
        );
        await watch.prints(/pod\/nowhere/);
        before = containersOf((await podsOf(api)).filter(({ spec }) => spec.nodeName === "gw1"));
        await hub.process.kill();
        await until(
          "the node answers itself",
          async () => (await ask("app", "get pods -o name")) === "pod/app\npod/host",
        );
        await watch.prints(/the watch has ended/);
        assert.equal(await ask("host", "get pods -o name"), "pod/app\npod/host");
        const slices = await ask("app", "get endpointslices -o name");
        assert.match(slices, /^endpointslice.discovery.k8s.io\/shown-\w+$/);
        await refused("app", "get secrets", /forbidden.*hub is away/);
        await refused("app", "get pods -n kube-system", /forbidden.*hub is away/);
        await refused("app", "get deployments", /hub is away.*holds no deployments/);
        await refused("app", "get pod nowhere", /hub is away.*does not hold pods "nowhere"/);
        await refused("app", "create configmap never", /hub is away.*nothing can be written/);
        await refused("app", withToken(foreign), /Unauthorized|must be logged in/);
        await refused("app", withToken(former), /Unauthorized|must be logged in/);
        assert.match(await ask("app", "get --raw /version"), /skerry/);
        assert.match(await ask("app", "get --raw /apis"), /APIGroupList/);
        assert.equal(await ask("app", "auth can-i list pods"), "yes");
      });

      await step("the hub is back: the cluster answers again, nothing was restarted", async () => {
        hub = await site.hubOn(kubeconfig);
        await until(
          "the cluster answers",
          async () => /nowhere/.test(await ask("app", "get pods -o name")),
        );
        await ask("app", "create configmap again --from-literal=by=robot");
        const pods = (await podsOf(api)).filter(({ spec }) => spec.nodeName === "gw1");
        assert.deepEqual(containersOf(pods), before);
      });
    }),
});
