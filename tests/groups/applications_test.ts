// EdgeApplications that hold kinds which Skerry itself does not know.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { shellSpec, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { assertNothingDenied, stageOf } from "../kube/stage.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const GROUP = "plants.example.com";
const RBAC = "rbac.authorization.k8s.io";
const template = { metadata: { labels: { app: "db" } }, spec: shellSpec("sleep 1000") };
const MANIFESTS = {
  set: {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db" },
    spec: {
      serviceName: "db",
      replicas: 1,
      selector: { matchLabels: { app: "db" } },
      template,
    },
  },
  cron: {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "nightly" },
    spec: {
      schedule: "0 3 * * *",
      jobTemplate: {
        spec: { template: { spec: { ...shellSpec("true"), restartPolicy: "Never" } } },
      },
    },
  },
  custom: {
    apiVersion: `${GROUP}/v1`,
    kind: "Valve",
    metadata: { name: "inlet" },
    spec: { open: true },
  },
} as const;
const CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `valves.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural: "valves", singular: "valve", kind: "Valve", listKind: "ValveList" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      subresources: { status: {} },
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: { type: "object", properties: { open: { type: "boolean" } } },
            status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          },
        },
      },
    }],
  },
};
/** What somebody who wants applications to hold valves gives the hub. */
const RIGHT = [
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRole",
    metadata: { name: "hub-valves" },
    rules: [{
      apiGroups: [GROUP],
      resources: ["valves"],
      verbs: ["get", "list", "watch", "create", "patch", "delete"],
    }],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: "hub-valves" },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: "hub-valves" },
    subjects: [{ kind: "ServiceAccount", name: "skerry-hub", namespace: "skerry-system" }],
  },
];

interface Word {
  readonly identifier: { readonly kind?: string; readonly name?: string };
  readonly conditions: string;
  readonly reason?: string;
  readonly message?: string;
}

Deno.test({
  name: `EdgeApplications hold kinds that only the API server knows${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const stage = await stageOf(site, ["--set=edgeApplications.enabled=true"], []);
      const { kubectl } = stage;
      let hub = await stage.hub();
      const api = await site.client(hub.kubeconfig);
      const apply = (manifests: readonly unknown[], replicas = 2): Promise<void> =>
        site.apply(hub.kubeconfig, {
          apiVersion: "apps.kubeedge.io/v1alpha1",
          kind: "EdgeApplication",
          metadata: { name: "held", namespace: "default" },
          spec: {
            workloadTemplate: { manifests },
            workloadScope: {
              targetNodeGroups: [{ name: "plant", overriders: { replicas } }],
            },
          },
        });
      const words = async (): Promise<Record<string, Word>> => {
        const path = "/apis/apps.kubeedge.io/v1alpha1/namespaces/default/edgeapplications/held";
        const { status } = await api.request("GET", path);
        const all: Word[] = status?.workloadStatus ?? [];
        return Object.fromEntries(all.map((one) => [one.identifier.kind ?? "", one]));
      };
      const get = async (kind: string, name: string, field: string): Promise<string> =>
        await kubectl("get", kind, name, "--ignore-not-found", `-o=jsonpath={${field}}`);
      const { set, cron, custom } = MANIFESTS;

      await step(
        "a StatefulSet and a CronJob are made for the group, with their status",
        async () => {
          await apply([set, cron]);
          await until("both are told", async () => {
            const { StatefulSet, CronJob } = await words();
            // The group has no node: its pods are not ready.
            assert.equal(StatefulSet?.reason, "Progressing");
            assert.match(StatefulSet?.message ?? "", /0 of 2 pods are ready/);
            assert.equal(CronJob?.conditions, "Available");
            return true;
          });
          assert.equal(await get("statefulset", "db-plant", ".spec.replicas"), "2");
          const group = "belonging-to";
          assert.match(
            await get(
              "cronjob",
              "nightly-plant",
              ".spec.jobTemplate.spec.template.spec.nodeSelector",
            ),
            new RegExp(`${group}":"plant"`),
          );
        },
      );

      await step("they are healed, made anew and follow the overriders", async () => {
        await kubectl("scale", "statefulset/db-plant", "--replicas=5");
        await until("the number is ours again", async () =>
          await get("statefulset", "db-plant", ".spec.replicas") === "2");
        const before = await get("cronjob", "nightly-plant", ".metadata.uid");
        await kubectl("delete", "cronjob", "nightly-plant");
        await until("there is another", async () => {
          const uid = await get("cronjob", "nightly-plant", ".metadata.uid");
          return uid !== "" && uid !== before;
        });
        await apply([set, cron], 3);
        await until("it has three", async () =>
          await get("statefulset", "db-plant", ".spec.replicas") === "3");
      });

      await step("a kind that is not there yet is told, and nothing else stops", async () => {
        await apply([set, custom]);
        await until("the kind is told", async () =>
          (await words())["Valve"]?.reason === "KindNotServed");
        await until("what is wanted no more goes", async () =>
          await get("cronjob", "nightly-plant", ".metadata.uid") === "");
        await until("the other is told", async () =>
          (await words())["StatefulSet"]?.reason === "Progressing");
      });

      await step("of a kind that the hub may not touch the missing right is told", async () => {
        await site.apply(hub.kubeconfig, CRD);
        await until("the right is told", async () => {
          const word = (await words())["Valve"];
          assert.equal(word?.reason, "Refused");
          assert.match(
            word?.message ?? "",
            /service-?account:skerry-system:skerry-hub" cannot list resource "valves" in API group "plants\.example\.com"/,
          );
          return true;
        }, 120);
      });

      await step("with the right it is made, and its own word is the application's", async () => {
        await site.apply(hub.kubeconfig, ...RIGHT);
        await until("it is there", async () =>
          await get("valve", "inlet", ".spec.open") === "true", 120);
        await until("it is available", async () =>
          (await words())["Valve"]?.conditions === "Available");
        const stuck = { type: "Ready", status: "False", message: "the valve is stuck" };
        await kubectl(
          ...["patch", "valve", "inlet", "--subresource=status", "--type=merge"],
          `--patch=${JSON.stringify({ status: { conditions: [stuck] } })}`,
        );
        await until("it is told", async () =>
          (await words())["Valve"]?.message === "the valve is stuck");
        await kubectl("patch", "valve", "inlet", "--type=merge", '--patch={"spec":{"open":false}}');
        await until("it is healed", async () =>
          await get("valve", "inlet", ".spec.open") === "true");
      });

      await step("a kind that is taken away is watched no more, until it is back", async () => {
        await kubectl("delete", "crd", CRD.metadata.name);
        await hub.process.prints(/the kind is served no more.*/, 120);
        await until("the kind is told", async () =>
          (await words())["Valve"]?.reason === "KindNotServed", 120);
        await site.apply(hub.kubeconfig, CRD);
        await until("it is made again", async () =>
          await get("valve", "inlet", ".spec.open") === "true", 120);
        await kubectl("patch", "valve", "inlet", "--type=merge", '--patch={"spec":{"open":false}}');
        await until("it is followed again", async () =>
          await get("valve", "inlet", ".spec.open") === "true");
      });

      await step("what an application lets go while no hub runs goes when one does", async () => {
        await hub.process.kill();
        await apply([set]);
        hub = await stage.hub();
        await until("the valve is gone", async () =>
          await get("valve", "inlet", ".metadata.uid") === "", 120);
        await kubectl("delete", "edgeapplication", "held");
        await until("the garbage collector takes the rest", async () =>
          await get("statefulset", "db-plant", ".metadata.uid") === "");
      });

      await step("the hub was denied nothing else", async () => {
        await assertNothingDenied(stage, {
          expected: /cannot list resource "valves"|while custom resource definition is terminating/,
        });
      });
    }),
});
