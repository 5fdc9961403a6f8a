// The hub with the rights that the chart gives it, and no others.
import assert from "node:assert/strict";
import { isHeldByApplications } from "../../cloud/groups/mod.ts";
import { BELONGING_TO, RESOURCE_LIST, RESOURCES } from "../../core/api/mod.ts";
import { hours, type Ms, systemClock, systemRandom } from "../../core/base/mod.ts";
import { RemoteStore } from "../../core/kube/mod.ts";
import { Tokens } from "../../core/tokens/mod.ts";
import { envelope, guest } from "../../runner/guests.ts";
import { testWasm } from "../../runner/harness.ts";
import { GATEWAY_ANNOTATION } from "../../core/sync/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  type AgentAt,
  call,
  podOf,
  podsOf,
  readyFunction,
  readyPod,
  shellPod,
  Site,
  stepsOf,
  textFunction,
} from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { acceptedManifests, FOLDER } from "../golden/kubeedge/manifests.ts";
import { tokenOf } from "./chart.ts";
import {
  attachmentObject,
  claimObjects,
  claimVolume,
  untilClaimsAreRead,
} from "./claim_objects.ts";
import type { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";
import { allows, grantsOf } from "./rights.ts";
import { assertNothingDenied, stageOf } from "./stage.ts";

const missing = lacks("kube", "helm", "containerd", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** What the audit log cannot show: admission asks for it when a certificate is approved. */
const UNSEEN = ["everywhere: approve certificates.k8s.io/signers kubernetes.io/kubelet-serving"];

/** A token that expired two days ago: the next sweep removes it. */
async function addExpiredToken({ client }: TestCluster): Promise<string> {
  const clock = { ...systemClock, now: () => systemClock.now() - hours(48) as Ms };
  const store = new RemoteStore({ client, clock: systemClock, random: systemRandom });
  const tokens = new Tokens({ store, clock, ca: { fingerprint: "0".repeat(64) } });
  return (await tokens.create({ node: "old" })).info.id;
}

/** Lets the API server of `cluster` have a user that may read the figures of nodes; its token. */
async function addReader(cluster: TestCluster): Promise<string> {
  const metadata = { name: "reader", namespace: "default" };
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata });
  const rbac = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: "reader" } };
  const rules = [{ apiGroups: [""], resources: ["nodes/stats"], verbs: ["get"] }];
  await cluster.apply({ ...rbac, kind: "ClusterRole", rules });
  await cluster.apply({
    ...rbac,
    kind: "ClusterRoleBinding",
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" },
    subjects: [{ kind: "ServiceAccount", ...metadata }],
  });
  return await tokenOf(cluster, "reader", "default");
}

async function addFiles(site: Site, node: string): Promise<void> {
  const root = `${site.folder}/${node}`;
  await Deno.mkdir(`${root}/manifests`, { recursive: true });
  await Deno.mkdir(`${root}/functions`, { recursive: true });
  const pod = shellPod("static", "sleep 1000");
  await Deno.writeTextFile(`${root}/manifests/static.json`, JSON.stringify(pod));
  const answer = (256n << 32n) | BigInt(20 + "filed".length);
  const text = guest(`(i64.const ${answer})`, `(data (i32.const 256) "${envelope("filed")}")`);
  await Deno.writeFile(`${root}/functions/filed.wasm`, testWasm(text));
}

Deno.test({
  name: `the rights of the chart are what the hub uses, no more and no less${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const stage = await stageOf(site, [], ["--applications=off"]);
      const { cluster, kubectl } = stage;
      const { store } = cluster;
      const old = await addExpiredToken(cluster);
      // As somebody may have emptied it: the hub writes it anew.
      const history = { name: "skerry-hub-history", namespace: "skerry-system" };
      await cluster.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: history });
      const containerd = await site.containerd();
      let hub = await stage.hub();
      const api = await site.client(hub.kubeconfig);
      let gw1: AgentAt;
      let gw2: AgentAt;

      await step("a gateway joins and its Node gets Ready", async () => {
        await addFiles(site, "gw1");
        await site.runner("gw1");
        gw1 = await joinGateway(site, { name: "gw1", hub, api, containerd });
        const { metadata } = await api.request("GET", "/api/v1/nodes/gw1");
        assert.equal(metadata.labels["node-role.kubernetes.io/edge"], "");
        const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/gw1";
        await until("it has a Lease", () => api.request("GET", lease).catch(() => undefined));
        await readyPod(api, "static-gw1");
      });

      await step("a Deployment with a ConfigMap, a Secret and a token runs", async () => {
        await cluster.untilPodsCanBeMade("default");
        await kubectl("create", "configmap", "words", "--from-literal=hello=world");
        await kubectl("create", "secret", "generic", "key", "--from-literal=pass=sesame");
        const token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
        const script = `cat /etc/words/hello; echo $PASS; test -s ${token} && sleep 1000`;
        const { spec } = shellPod("x", script);
        const [container] = spec.containers;
        const template = {
          metadata: { labels: { app: "web" } },
          spec: {
            ...spec,
            containers: [{
              ...container,
              env: [{ name: "PASS", valueFrom: { secretKeyRef: { name: "key", key: "pass" } } }],
              volumeMounts: [{ name: "words", mountPath: "/etc/words" }],
            }],
            volumes: [{ name: "words", configMap: { name: "words" } }],
          },
        };
        await site.apply(hub.kubeconfig, {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "web" },
          spec: { replicas: 1, selector: { matchLabels: { app: "web" } }, template },
        });
        await kubectl("rollout", "status", "deployment/web", "--timeout=60s");
      });

      await step(
        "logs and exec reach it through an API server that verifies kubelets",
        async () => {
          const [pod] = await podsOf(api, "app=web");
          const name = pod?.metadata.name ?? "";
          // A container is ready when it has started, and may not have said anything by then.
          await until(
            "its log",
            async () => /^world.*sesame\n$/s.test(await kubectl("logs", name)),
          );
          assert.equal(await kubectl("exec", name, "--", "cat", "/etc/words/hello"), "world");
        },
      );

      await step(
        "a kubelet's port takes a token of the cluster, as of a metrics server",
        async () => {
          const { status } = await api.request("GET", "/api/v1/nodes/gw1");
          const { Port } = status.daemonEndpoints.kubeletEndpoint;
          using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(cluster.ca)] });
          const token = await addReader(cluster);
          // Rights take a moment.
          const stats = await until("it is let in", async () => {
            const answer = await fetch(`https://127.0.0.1:${Port}/stats/summary`, {
              client,
              headers: { authorization: `Bearer ${token}` },
            });
            const text = await answer.text();
            if (!answer.ok) throw new Error(text);
            return JSON.parse(text);
          });
          assert.equal(stats.node.nodeName, "gw1");
        },
      );

      await step(
        "an Event that comes again is counted, and a pod that is deleted goes",
        async () => {
          const restarts = { restartPolicy: "Always" };
          await site.apply(hub.kubeconfig, shellPod("fails", "exit 1", restarts));
          const path = "/api/v1/namespaces/default/events";
          await until("an Event counts", async () => {
            const { items } = await api.request("GET", path);
            return items.some((event: { involvedObject: { name: string }; count: number }) =>
              event.involvedObject.name === "fails" && event.count > 1
            );
          }, 60);
          await kubectl("delete", "pod", "fails", "--grace-period=1");
          assert.equal(await podOf(api, "fails"), undefined);
        },
      );

      await step("a function's status is written", async () => {
        await site.apply(hub.kubeconfig, {
          apiVersion: "skerry.dev/v1alpha1",
          kind: "WasmFunction",
          metadata: { name: "filed", namespace: "default" },
          spec: { source: { file: "filed.wasm" }, triggers: [{ http: {} }] },
        });
        const { status } = await readyFunction(api, "filed");
        assert.deepEqual(status?.nodes?.map(({ name }) => name), ["gw1"]);
        const url = `http://127.0.0.1:${site.port("gw1-gateway")}/default/filed`;
        assert.equal(await call(url), "200 filed");
        // Its module is in a ConfigMap that no pod names.
        await site.apply(hub.kubeconfig, ...textFunction("text", "first"));
        await readyFunction(api, "text");
      });

      await step("what the claim of a pod leads to is read in the name of its node", async () => {
        const objects = [...claimObjects("data"), attachmentObject("data", "gw1")];
        await site.apply(hub.kubeconfig, ...objects);
        await site.apply(hub.kubeconfig, shellPod("claimed", "sleep 1000", claimVolume("data")));
        await untilClaimsAreRead(stage);
      });

      await step("a node that leaves its group leaves the pods of that group", async () => {
        const group = (nodes: readonly string[]) => ({
          apiVersion: "apps.kubeedge.io/v1alpha1",
          kind: "NodeGroup",
          metadata: { name: "plant" },
          spec: { nodes },
        });
        await site.apply(hub.kubeconfig, group(["gw1"]));
        const nodeSelector = { [BELONGING_TO]: "plant" };
        await site.apply(hub.kubeconfig, shellPod("grouped", "sleep 1000", { nodeSelector }));
        await readyPod(api, "grouped");
        await site.apply(hub.kubeconfig, group([]));
        await until("the pod is gone", async () => !await podOf(api, "grouped"));
      });

      await step("objects that nobody acts on say so", async () => {
        await kubectl("apply", "-f", `${FOLDER}accepted.yaml`);
        const objects = (await acceptedManifests()).filter(({ kind }) =>
          !["NodeGroup", "WasmFunction"].includes(kind)
        );
        for (const { kind, metadata: { name } } of objects) {
          await until(`${kind} ${name} says so`, async () => {
            const { status } = JSON.parse(await kubectl("get", `${kind}/${name}`, "-o", "json"));
            return status?.conditions?.some((one: { reason: string }) =>
              one.reason === "NotActedOn"
            );
          });
        }
      });

      await step("a second gateway reaches the hub by another name", async () => {
        const address = `localhost:${hub.nodePort}`;
        gw2 = await joinGateway(site, { name: "gw2", hub, api, address });
      });

      await step("a gateway whose Node is deleted is shut out", async () => {
        await kubectl("delete", "node", "gw1");
        await hub.process.prints(/shutting its identity out/);
        await gw1.process.prints(/the node was deleted: join the node again/);
      });

      await step("so is one whose Node was replaced while no hub ran", async () => {
        await gw2.process.kill();
        hub.process.signal("SIGTERM");
        await hub.process.exit(60);
        await kubectl("delete", "node", "gw2");
        await site.apply(hub.kubeconfig, {
          apiVersion: "v1",
          kind: "Node",
          // As its gateway had made it.
          metadata: { name: "gw2", annotations: { [GATEWAY_ANNOTATION]: "true" } },
        });
        hub = await stage.hub();
        await until("the Node is removed", async () => {
          const { items } = await store.list(RESOURCES.nodes);
          return items.every(({ metadata }) => metadata.name !== "gw2");
        });
      });

      await step("a token that expired long ago is removed", async () => {
        const names = async (): Promise<string[]> => {
          const { items } = await store.list(RESOURCES.secrets, { namespace: "skerry-system" });
          return items.map(({ metadata }) => metadata.name);
        };
        await until("it is gone", async () => !(await names()).includes(`skerry-token-${old}`));
        assert.ok((await names()).includes("skerry-node-gw1"));
      });

      await step("nothing was denied, and every right was used", async () => {
        // What a node has no pod for any more, or what its pod's claim does not lead to yet; a mirror
        // pod for a Node that the API server's admission has not seen yet. All are asked again.
        const expected =
          /no relationship found between node 'gw1'|with an owner reference set to itself/;
        const audited = await assertNothingDenied(stage, { expected });
        const grants = grantsOf(stage.rights);
        const used = grants.filter((grant) => audited.some((one) => allows(grant, one)));
        const unused = grants.filter((grant) => !used.includes(grant)).map(({ text }) => text);
        assert.deepEqual(unused, UNSEEN);
        // What everybody may: versions and kinds.
        const others = audited.filter((one) => !grants.some((grant) => allows(grant, one)))
          .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
        assert.deepEqual([...new Set(others)].sort(), ["get /apis", "get /version"]);
        assert.doesNotMatch(hub.process.output, /signs no certificate for kubelets/);
      });
    }),
});

Deno.test({
  name: `with rights to what EdgeApplications hold they are acted on${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const stage = await stageOf(site, ["--set=edgeApplications.enabled=true"], []);
      const [, , applications] = stage.rights.filter(({ kind }) => kind === "ClusterRole");
      const held = [
        ...RESOURCE_LIST.filter(isHeldByApplications),
        // Kubernetes' other workloads, which the hub learns of by discovery.
        ...[{ group: "apps", plural: "statefulsets" }, { group: "batch", plural: "jobs" }],
        { group: "batch", plural: "cronjobs" },
      ].flatMap(({ group, plural }) =>
        ["get", "list", "watch", "create", "patch", "delete"].map((verb) =>
          `everywhere: ${verb} ${group}/${plural}`
        )
      );
      assert.deepEqual(
        grantsOf(applications ? [applications] : []).map(({ text }) => text).sort(),
        [...held, "everywhere: update apps.kubeedge.io/edgeapplications/finalizers"].sort(),
      );
      const hub = await stage.hub();
      const manifests = [
        {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "held" },
          stringData: { key: "value" },
        },
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "held" },
          spec: {
            replicas: 0,
            selector: { matchLabels: { app: "held" } },
            template: {
              metadata: { labels: { app: "held" } },
              spec: { containers: [{ name: "main", image: "none" }] },
            },
          },
        },
      ];
      const app = (manifests: readonly unknown[]) => ({
        apiVersion: "apps.kubeedge.io/v1alpha1",
        kind: "EdgeApplication",
        metadata: { name: "held", namespace: "default" },
        spec: {
          workloadTemplate: { manifests },
          workloadScope: { targetNodeGroups: [{ name: "plant" }] },
        },
      });
      await site.apply(hub.kubeconfig, app(manifests));
      const names = async (kind: string): Promise<string> =>
        await stage.kubectl("get", kind, "-o", "name");
      await until("its Deployment is there", async () =>
        (await names("deployments")).includes("held-plant"), 120);
      await until("its Secret is there", async () =>
        (await names("secrets")).includes("held"), 120);
      await site.apply(hub.kubeconfig, app(manifests.slice(1)));
      await until("its Secret is gone", async () =>
        !(await names("secrets")).includes("held"));
      await assertNothingDenied(stage);
    }),
});
