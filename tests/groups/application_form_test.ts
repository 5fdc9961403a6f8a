// Objects of EdgeApplications that the API server writes in another form than their manifests.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { lacks } from "../../tools/test/needs.ts";
import { Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { CRD, type Manifest, Rig, RIGHT, valve } from "./applications_lib.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** Much that a server writes in another form: other words, or not at all. */
const WEB: Manifest = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", labels: {}, annotations: null },
  spec: {
    replicas: 0,
    paused: false,
    minReadySeconds: 0,
    progressDeadlineSeconds: null,
    selector: { matchLabels: { app: "web" } },
    strategy: { rollingUpdate: { maxSurge: "25%", maxUnavailable: 0 } },
    template: {
      metadata: { labels: { app: "web" }, creationTimestamp: null },
      spec: {
        hostNetwork: false,
        serviceAccountName: "",
        priorityClassName: null,
        imagePullSecrets: [],
        nodeSelector: {},
        securityContext: {},
        tolerations: [{ key: "a", operator: "Exists", value: "" }],
        volumes: [
          { name: "scratch", emptyDir: { sizeLimit: "1024Mi", medium: "" } },
          { name: "settings", configMap: { name: "web", items: [] } },
        ],
        containers: [{
          name: "main",
          image: "none",
          stdin: false,
          command: null,
          args: [],
          env: [{ name: "EMPTY", value: "" }, { name: "LIMIT", valueFrom: null, value: "1" }],
          resources: {
            requests: { cpu: "1000m", memory: "1024Mi" },
            limits: { cpu: 2, memory: "1.5Gi" },
          },
          volumeMounts: [{ name: "scratch", mountPath: "/a", subPath: "", readOnly: false }],
          readinessProbe: { httpGet: { path: "/", port: 80, host: "" }, periodSeconds: null },
        }],
      },
    },
  },
};
const CLAIM: Manifest = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "web" },
  spec: {
    accessModes: ["ReadWriteOnce"],
    storageClassName: "none",
    volumeName: "",
    resources: { requests: { storage: "1024Mi" } },
  },
};
const SECRET: Manifest = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "web" },
  stringData: { a: "b" },
  data: {},
};
const BALANCED: Manifest = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: {
    clusterIP: "",
    externalIPs: [],
    selector: { app: "web" },
    ports: [{ port: 80, targetPort: 80, name: "", nodePort: 0 }],
  },
};
/** A field that its schema does not have. */
const VALVE: Manifest = { ...valve("web", "v1"), spec: { open: true, colour: "red", size: null } };

Deno.test({
  name: `objects of EdgeApplications in the server's own form are left alone, and healed${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const rig = await Rig.start(site, [CRD, ...RIGHT]);
      const { kubectl } = rig.stage;
      const objects = [
        ...["deployment/web-plant", "service/web", "pvc/web", "secret/web", "valve/web"],
      ];
      const versions = async (): Promise<string[]> =>
        await Promise.all(
          objects.map((name) => kubectl("get", name, "-o=jsonpath={.metadata.resourceVersion}")),
        );
      await step("nothing is written again", async () => {
        await rig.apply("web", WEB, BALANCED, CLAIM, SECRET, VALVE);
        await until(
          "all are there",
          async () => (await versions()).every((one) => one !== ""),
          120,
        );
        // The controllers of its Deployment write too, for a moment.
        const before = await until("all are at rest", async () => {
          const before = await versions();
          await rig.reconcile("web");
          return isDeepStrictEqual(await versions(), before) && before;
        });
        for (const _ of [1, 2, 3]) {
          await rig.reconcile("web");
        }
        assert.deepEqual(await versions(), before);
        assert.deepEqual(await rig.writes("patch"), []);
      });

      await step("another leader writes each once at most", async () => {
        await rig.anotherHub();
        await rig.reconcile("web");
        // What was never written again since it was made changes its version by a write of nothing.
        const before = await versions();
        for (const _ of [1, 2, 3]) {
          await rig.reconcile("web");
        }
        assert.deepEqual(await versions(), before);
        const all = await rig.writes("patch");
        assert.equal(new Set(all).size, all.length, all.join());
      });

      await step("an edit is healed, next to what is written in another form too", async () => {
        const container = { name: "main", image: "other" };
        const template = { spec: { containers: [container] } };
        const change = JSON.stringify({ spec: { replicas: 2, template } });
        for (const _ of [1, 2]) {
          await kubectl("patch", "deployment", "web-plant", "--type=strategic", `-p=${change}`);
          await until("image and number are ours", async () => {
            const field = ".spec.template.spec.containers[0].image";
            return await rig.get("deployment", "web-plant", field) === "none" &&
              await rig.get("deployment", "web-plant", ".spec.replicas") === "0";
          });
        }
        await kubectl("patch", "valve", "web", "--type=merge", '-p={"spec":{"open":false}}');
        await until("the valve is open", async () =>
          await rig.get("valve", "web", ".spec.open") === "true");
      });
    }),
});
