import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { type Node, RESOURCES } from "../../core/api/mod.ts";
import { hours, systemClock } from "../../core/base/mod.ts";
import { createKey, issueCa } from "../../core/pki/mod.ts";
import { HUB_LABEL, IDENTITY_LABEL, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { type HubAt, isReady, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { TestCluster } from "./cluster.ts";
import { Fleet, leasesOf, nodesOf } from "./fleet.ts";
import { joinHollow } from "./hollow_node.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const { nodes, secrets } = RESOURCES;
const SECRETS = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/secrets`;
const IDENTITIES = `${IDENTITY_LABEL}=true`;
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/hollow-0";

Deno.test({
  name: `what somebody spoils by hand lets nobody in and no gateway go${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const { kubeconfig } = cluster.parts;
      const { client, store } = cluster;
      let hub: HubAt = await site.replica(0, kubeconfig);
      const balancer = site.hold(await Balancer.start(() => [hub.nodePort]));
      const api = await site.client(kubeconfig);
      const fleet = await Fleet.join(site, { hub, address: balancer.address, count: 3 });
      await until("all are Ready", async () => {
        const all = await nodesOf(api);
        return all.length === 3 && all.every(isReady);
      });
      const merge = async (path: string, body: unknown): Promise<void> =>
        void await client.call({
          ...{ method: "PATCH", path, body },
          type: "application/merge-patch+json",
        });
      const nodeOf = async (name: string): Promise<Node> =>
        await store.get({ resource: nodes, name }) as Node;

      await step("a join token whose Secret was changed lets nobody in", async () => {
        const token = await site.token(hub, "guest");
        const path = `${SECRETS}/skerry-token-${token.split(".")[2]}`;
        const { data } = await client.call({ method: "GET", path });
        const record = JSON.parse(atob(data.record));
        const joins = (): Promise<unknown> =>
          joinHollow({
            ...{ name: "guest", hub: balancer.address, token },
            folder: `${site.folder}/guest`,
          });
        const changes: [unknown, RegExp][] = [
          [btoa("garbage"), /cannot be read any more: delete it/],
          [btoa(JSON.stringify({ ...record, hash: "0".repeat(64) })), /the token is not known/],
          [btoa(JSON.stringify({ ...record, hash: "rubbish" })), /cannot be read any more/],
          [
            btoa(JSON.stringify({ ...record, node: "x".repeat(700_000) })),
            /cannot be read any more/,
          ],
          [null, /cannot be read any more/],
        ];
        for (const [changed, text] of changes) {
          await merge(path, { data: { record: changed } });
          await assert.rejects(joins(), text);
        }
        assert.doesNotMatch(await site.skerry(hub, ["token", "list"]), /guest/);
        await merge(path, { data });
        await joins();
      });

      /** Breaks all links; returns when all are back. */
      const cut = async (): Promise<void> => {
        fleet.forget();
        balancer.cut();
        await until("all are back", () => fleet.cut === 3 && fleet.connected);
      };
      /** A hub that starts now does not get far, and says this. */
      const cannotStart = async (text: RegExp): Promise<void> => {
        const process = site.startReplica(1, kubeconfig);
        await process.prints(text);
        await process.kill();
        assert.doesNotMatch(process.output, /hub is ready/);
      };
      const path = `${SECRETS}/skerry-ca`;
      const ca = await client.call({ method: "GET", path });
      const foreignKey = await createKey();
      const foreign = {
        "tls.key": btoa(foreignKey),
        "tls.crt": btoa(
          await issueCa({
            keyPem: foreignKey,
            commonName: "another",
            now: systemClock.now(),
            lifetime: hours(24),
          }),
        ),
      };

      for (
        const [what, data, error] of [
          ["is garbage", { "tls.crt": btoa("garbage") }, /skerry-ca holds no CA/],
          ["has another's key", { "tls.key": foreign["tls.key"] }, /tls.key is not the key of/],
          ["is another hub's", foreign, /serves this cluster with another CA/],
        ] as const
      ) {
        await step(`a CA that ${what}: gateways stay, and no other hub starts`, async () => {
          const said = hub.process.output.length;
          await merge(path, { data });
          await until(
            "the hub says so",
            () => hub.process.output.slice(said).includes("the CA's Secret was changed"),
          );
          await cut();
          await cannotStart(error);
          await merge(path, { data: ca.data });
        });
      }

      await step("a CA that is deleted while a hub runs is put back", async () => {
        await client.call({ method: "DELETE", path });
        await until("it is back", async () => {
          const { data } = await client.call({ method: "GET", path });
          assert.deepEqual(data, ca.data);
          return true;
        });
        const another = await site.replica(1, kubeconfig);
        await another.process.kill();
      });

      await step("one that is deleted while no hub runs is not made anew", async () => {
        await hub.process.kill();
        await client.call({ method: "DELETE", path });
        await cannotStart(/skerry-ca is gone, but nodes have joined .*restore it from a copy/);
        const { type, data } = ca;
        const metadata = { name: "skerry-ca", namespace: SYSTEM_NAMESPACE };
        await store.create(secrets, { apiVersion: "v1", kind: "Secret", metadata, type, data });
        hub = await site.replica(0, kubeconfig);
        await until("all are back", () => fleet.connected);
      });

      await step(
        "one that is replaced while no hub runs is noticed, and nothing changed",
        async () => {
          await hub.process.kill();
          // As after the time that it takes to tell that no hub runs any more.
          const leases = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/leases`;
          await client.call({
            ...{ method: "DELETE", path: leases },
            query: { labelSelector: `${HUB_LABEL}=true` },
          });
          await merge(path, { data: foreign });
          const identities = {
            method: "GET",
            path: SECRETS,
            query: { labelSelector: IDENTITIES },
          } as const;
          const before = (await client.call(identities)).items;
          await cannotStart(
            /holds a CA .* by which no node has joined, and 4 by another .*Restore/,
          );
          const { data } = await client.call({ method: "GET", path });
          assert.deepEqual(data, foreign);
          assert.deepEqual((await client.call(identities)).items, before);
          await merge(path, { data: ca.data });
          hub = await site.replica(0, kubeconfig);
          await until("all are back", () => fleet.connected);
        },
      );

      await step(
        "an identity that cannot be read: its gateway waits, and the hub says what to do",
        async () => {
          const path = `${SECRETS}/skerry-node-hollow-1`;
          const { data } = await client.call({ method: "GET", path });
          await merge(path, { data: { record: btoa("garbage") } });
          await hub.process.prints(
            /skerry-node-hollow-1 cannot be read any more: delete it \(kubectl -n skerry-system .*let the node join again: .*token create --node hollow-1/,
          );
          await merge(path, { data });
          await cut();
        },
      );

      await step("a node's Lease that is deleted, or held by somebody else, heals", async () => {
        const holder = async () =>
          (await client.call({ method: "GET", path: LEASE })).spec.holderIdentity;
        await client.call({ method: "DELETE", path: LEASE });
        await until("it is there", async () => await holder() === "hollow-0");
        const renewTime = "2099-01-01T00:00:00.000000Z";
        await merge(LEASE, { spec: { holderIdentity: "somebody", renewTime } });
        await until("it is the node's", async () => await holder() === "hollow-0");
        const renewed = (await leasesOf(api)).get("hollow-0") ?? Infinity;
        assert.ok(renewed <= systemClock.now(), String(renewed));
      });

      await step("what a person writes into a Node stays, and a role comes back", async () => {
        const own = { "node-role.kubernetes.io/edge": null, "example.com/mine": "yes" };
        const taint = { key: "example.com/mine", effect: "NoSchedule" };
        await merge("/api/v1/nodes/hollow-1", {
          metadata: { labels: own },
          spec: { unschedulable: true, taints: [taint], podCIDR: "10.77.0.0/24" },
        });
        await cut();
        const node = await until("its role is back", async () => {
          const node = await nodeOf("hollow-1");
          return "node-role.kubernetes.io/edge" in (node.metadata.labels ?? {}) && node;
        });
        assert.equal(node.metadata.labels?.["example.com/mine"], "yes");
        assert.equal(node.spec?.unschedulable, true);
        assert.ok(node.spec?.taints?.some(({ key }) => key === taint.key));
        assert.ok(isReady(node));
      });

      await step("a status that somebody wrote is the node's own again at once", async () => {
        const { status } = await nodeOf("hollow-2");
        const wrong = [
          { addresses: [], allocatable: { cpu: "1m" }, conditions: [] },
          { addresses: [{ type: "InternalIP", address: "192.0.2.7" }] },
          { daemonEndpoints: { kubeletEndpoint: { Port: 1 } } },
        ];
        for (const one of wrong) {
          await merge("/api/v1/nodes/hollow-2/status", { status: one });
          await until("it is as the node and the hub say", async () => {
            const node = await nodeOf("hollow-2");
            return isReady(node) && node.status?.allocatable?.["cpu"] === "4" &&
              isDeepStrictEqual(node.status.addresses, status?.addresses) &&
              isDeepStrictEqual(node.status.daemonEndpoints, status?.daemonEndpoints);
          });
        }
      });

      await step(
        "the Node of another machine is given to no gateway, and is left alone",
        async () => {
          const join = async (name: string, token: string): Promise<unknown> =>
            await joinHollow({
              ...{ name, hub: balancer.address, token },
              folder: `${site.folder}/${name}-${token.slice(-6)}`,
            });
          const make = async (name: string) =>
            await store.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
          await make("worker");
          const strange = /a Node "worker" is there that this hub did not make/;
          await assert.rejects(join("worker", await site.token(hub, "*")), strange);
          await assert.rejects(join("worker", await site.token(hub, "worker")), strange);
          await join("worker", await site.token(hub, "worker", ["--replace"]));
          // One that appears later under the name of a gateway.
          await join("later", await site.token(hub, "lat*"));
          const { metadata } = await make("later");
          await until("its gateway is shut out", async () => {
            const path = `${SECRETS}/skerry-node-later`;
            const { data } = await client.call({ method: "GET", path });
            return /did not make/.test(JSON.parse(atob(data.record)).revoked?.reason ?? "");
          });
          assert.equal((await nodeOf("later")).metadata.uid, metadata.uid);
        },
      );

      await step("a Node that is deleted shuts its gateway out, and no other", async () => {
        await store.delete({ resource: nodes, name: "hollow-0" });
        await until("it is gone for good", () => fleet.nodes[0]?.connected === false);
        assert.ok(fleet.nodes.slice(1).every(({ connected }) => connected));
      });
    }),
});
