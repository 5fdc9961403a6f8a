// Lists of objects (`kind: List`): kubectl validates these itself, by the OpenAPI 2.0 document.
import assert from "node:assert/strict";
import { startCluster } from "./cluster.ts";

const pod = {
  containers: [{
    name: "main",
    image: "nginx:1",
    command: ["a"],
    env: [{ name: "A", value: "1" }, {
      name: "B",
      valueFrom: { configMapKeyRef: { name: "cm", key: "a" } },
    }],
    ports: [{ containerPort: 80 }],
    resources: { limits: { cpu: "1", memory: "64Mi" } },
    livenessProbe: { httpGet: { path: "/", port: 80 } },
    volumeMounts: [{ name: "v", mountPath: "/v" }],
  }],
  volumes: [{ name: "v", configMap: { name: "cm" } }],
  tolerations: [{ operator: "Exists" }],
};
const template = { metadata: { labels: { app: "web" } }, spec: pod };
const selector = { matchLabels: { app: "web" } };

function list(more: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: [
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cm" }, data: { a: "1" }, ...more },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web" },
        spec: {
          selector,
          template,
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%" } },
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
      },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "one" }, spec: pod },
      {
        apiVersion: "skerry.dev/v1alpha1",
        kind: "WasmFunction",
        metadata: { name: "fn" },
        spec: { source: { file: "a.wasm" } },
      },
    ],
  });
}

Deno.test("kubectl apply takes a List file, changes what changed, and names what is wrong in it", async () => {
  await using cluster = await startCluster();
  const apply = (stdin: string) => cluster.kubectl(["apply", "-f", "-"], { stdin });
  const first = await apply(list());
  assert.equal(first.code, 0, first.err);
  for (
    const one of [
      "configmap/cm",
      "deployment.apps/web",
      "service/web",
      "pod/one",
      "wasmfunction.skerry.dev/fn",
    ]
  ) {
    assert.ok(first.out.includes(`${one} created\n`), `${one} in ${first.out}`);
  }
  const second = await apply(list({ data: { a: "2" } }));
  assert.equal(second.code, 0, second.err);
  assert.match(second.out, /configmap\/cm configured/);
  assert.match(second.out, /deployment.apps\/web unchanged/);
  assert.equal(await cluster.ok(["get", "cm", "cm", "-o", "jsonpath={.data.a}"]), "2");
  const wrong = await apply(list().replace('"volumes"', '"volume"'));
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /unknown field "volume"/);
});

Deno.test("what kubectl get -o yaml prints of several objects can be applied again", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await ok(["create", "configmap", "a", "--from-literal=k=1"]);
  await ok(["create", "configmap", "b", "--from-literal=k=1"]);
  const maps = await ok(["get", "cm", "a", "b", "-o", "yaml"]);
  assert.match(maps, /^kind: List$/m);
  await ok(["delete", "cm", "a"]);
  const applied = await ok(["apply", "-f", "-"], { stdin: maps.replaceAll('k: "1"', 'k: "2"') });
  assert.equal(applied, "configmap/a created\nconfigmap/b configured\n");
  assert.equal(await ok(["get", "cm", "b", "-o", "jsonpath={.data.k}"]), "2");

  // Objects with all that controllers and nodes write.
  await ok(["apply", "-f", "-"], { stdin: list() });
  await ok(["create", "secret", "generic", "s", "--from-literal=a=b"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  await ok(["wait", "--for=condition=Ready", "pod/one", "--timeout=30s"]);
  const kinds = "deploy,rs,po,svc,secret,wf,ns";
  const written = await ok(["get", kinds, "-o", "yaml"]);
  // Controllers may write meanwhile, which would be a conflict.
  const all = written.replace(/^ +resourceVersion: .*\n/gm, "");
  const again = await ok(["apply", "-f", "-"], { stdin: all });
  assert.doesNotMatch(again, /created/);
  assert.match(again, /pod\/one configured/);
});
