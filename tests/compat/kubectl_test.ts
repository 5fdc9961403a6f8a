import assert from "node:assert/strict";
import { type Cluster, startCluster } from "./cluster.ts";
import { until } from "../../core/http/testing.ts";
import { RESOURCES } from "../../core/api/mod.ts";

/** A Deployment as a user writes it. */
function manifest(options: { replicas?: number; image?: string; more?: string } = {}): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: ${options.replicas ?? 1}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: ${options.image ?? "nginx:1"}
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
${options.more ?? ""}`;
}

async function apply(cluster: Cluster, stdin: string): Promise<string> {
  return await cluster.ok(["apply", "-f", "-"], { stdin });
}

Deno.test("kubectl apply creates, changes by a three-way merge and leaves others' fields alone", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  const sidecar = "      - {name: side, image: 'side:1'}\n";
  assert.match(await apply(cluster, manifest({ more: sidecar })), /web created/);
  assert.match(await apply(cluster, manifest({ more: sidecar })), /web unchanged/);
  await ok(["annotate", "deploy/web", "by=somebody"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  assert.match(await apply(cluster, manifest({ replicas: 2, image: "nginx:2" })), /web configured/);
  const web = JSON.parse(await ok(["get", "deploy", "web", "-o", "json"]));
  assert.equal(web.spec.replicas, 2);
  assert.deepEqual(
    web.spec.template.spec.containers.map((one: { image: string }) => one.image),
    ["nginx:2"],
    "the container that is no longer in the file goes",
  );
  assert.equal(web.metadata.annotations.by, "somebody");
  assert.equal(web.status.observedGeneration !== undefined, true, "status survives");
});

Deno.test("kubectl diff shows what apply would change and changes nothing", async () => {
  await using cluster = await startCluster();
  await apply(cluster, manifest());
  const { code, out } = await cluster.kubectl(["diff", "-f", "-"], {
    stdin: manifest({ replicas: 7 }),
  });
  assert.equal(code, 1);
  assert.match(out, /^- {2}replicas: 1$/m);
  assert.match(out, /^\+ {2}replicas: 7$/m);
  assert.equal(await cluster.ok(["get", "deploy/web", "-o", "jsonpath={.spec.replicas}"]), "1");
});

Deno.test("kubectl create, run and expose make objects that really run", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await ok(["create", "deployment", "web", "--image=nginx:1", "--replicas=2", "--port=80"]);
  await ok(["create", "configmap", "cm", "--from-literal=a=b"]);
  await ok(["create", "secret", "generic", "sec", "--from-literal=password=s3cret"]);
  await ok(["create", "namespace", "other"]);
  await ok(["create", "serviceaccount", "robot", "-n", "other"]);
  await ok(["run", "one", "--image=busybox:1", "--", "sleep", "100"]);
  await ok(["expose", "deployment", "web", "--target-port=8080"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  await ok(["wait", "--for=condition=Ready", "pod/one", "--timeout=30s"]);
  const secret = JSON.parse(await ok(["get", "secret", "sec", "-o", "json"]));
  assert.equal(atob(secret.data.password), "s3cret");
  const service = JSON.parse(await ok(["get", "svc", "web", "-o", "json"]));
  assert.deepEqual(service.spec.ports, [{ port: 80, protocol: "TCP", targetPort: 8080 }]);
  const pod = JSON.parse(await ok(["get", "pod", "one", "-o", "json"]));
  assert.deepEqual(pod.spec.containers[0].args, ["sleep", "100"]);
  assert.equal(pod.status.phase, "Running");
  assert.match(await ok(["get", "configmap", "cm", "-o", "yaml"]), /^ {2}a: b$/m);
});

Deno.test("kubectl get shows Kubernetes' columns, wide too, and selects by label and field", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await ok(["create", "deployment", "web", "--image=nginx:1", "--replicas=2"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  await ok(["run", "bad", "--image=x:1", "--annotations=test/crash=yes"]);
  await until(
    "the actor ran it",
    async () => (await ok(["get", "pod", "bad"])).includes("CrashLoopBackOff") ? true : undefined,
  );
  const line = async (args: string[], name: string): Promise<string[]> => {
    const text = (await ok(args)).split("\n").find((one) => one.startsWith(name)) ?? "";
    return text.trim().split(/ {2,}/);
  };
  assert.deepEqual((await line(["get", "pods"], "bad")).slice(1, 4), [
    "0/1",
    "CrashLoopBackOff",
    "4",
  ]);
  assert.deepEqual(await line(["get", "pods"], "NAME"), [
    "NAME",
    "READY",
    "STATUS",
    "RESTARTS",
    "AGE",
  ]);
  const wide = await line(["get", "pods", "-o", "wide"], "web");
  assert.match(wide[5] ?? "", /^10\.42\./);
  assert.equal(wide[6], "edge-1");
  assert.deepEqual((await line(["get", "deploy", "-o", "wide"], "web")).slice(1, 4), [
    "2/2",
    "2",
    "2",
  ]);
  assert.deepEqual((await line(["get", "nodes"], "edge-1")).slice(1, 3), ["Ready", "edge"]);
  const selected = await ok(["get", "pods", "-l", "app=web", "-o", "name"]);
  assert.equal(selected.trim().split("\n").length, 2);
  const field = await ok(["get", "pods", "-A", "--field-selector=metadata.name=bad", "-o", "name"]);
  assert.equal(field.trim(), "pod/bad");
  const paged = await ok(["get", "pods", "--chunk-size=1", "-o", "name"]);
  assert.equal(paged.trim().split("\n").length, 3);
  assert.match(await ok(["get", "all"]), /deployment.apps\/web/);
});

Deno.test("kubectl get -w follows changes line by line", async () => {
  await using cluster = await startCluster();
  await cluster.ok(["create", "configmap", "first"]);
  const child = cluster.start(["get", "configmaps", "-w"]);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) seen.push(text);
  })();
  // kubectl writes a line in pieces.
  const has = (text: string) => () =>
    new RegExp(`^${text} .*\\n`, "m").test(seen.join("")) ? true : undefined;
  await until("the first line", has("first"));
  await cluster.ok(["create", "configmap", "second", "--from-literal=a=b"]);
  await until("the second line", has("second"));
  child.kill("SIGTERM");
  await child.stderr.cancel();
  await child.stdin.close();
  await child.status;
  await reading;
  const lines = seen.join("").replace(/^kube-root-ca\.crt .*\n/m, "");
  assert.match(lines, /^NAME +DATA +AGE\nfirst +0 +\S+\nsecond +1 +\S+\n$/);
});

Deno.test("kubectl patch takes all three forms; label, annotate, set image and scale work", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await apply(cluster, manifest());
  const get = (path: string): Promise<string> =>
    ok(["get", "deploy", "web", "-o", `jsonpath={${path}}`]);
  const container = '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"n:9"}]}}}}';
  await ok(["patch", "deploy", "web", "-p", container]);
  assert.equal(await get(".spec.template.spec.containers[0].image"), "n:9");
  assert.match(
    await get(".spec.template.spec.containers[0].env"),
    /"A"/,
    "strategic keeps the rest",
  );
  await ok([
    "patch",
    "deploy",
    "web",
    "--type=json",
    "-p",
    '[{"op":"replace","path":"/spec/replicas","value":3}]',
  ]);
  assert.equal(await get(".spec.replicas"), "3");
  await ok(["patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":2}}']);
  assert.equal(await get(".spec.replicas"), "2");
  await ok(["label", "deploy", "web", "tier=front"]);
  await ok(["annotate", "deploy", "web", "note=hi"]);
  assert.equal(
    await get(".metadata.labels.tier") + await get(".metadata.annotations.note"),
    "fronthi",
  );
  await ok(["set", "image", "deploy/web", "main=n:10"]);
  assert.equal(await get(".spec.template.spec.containers[0].image"), "n:10");
  await ok(["scale", "deploy/web", "--replicas=4", "--current-replicas=2"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  assert.equal(await get(".status.readyReplicas"), "4");
  await ok(["rollout", "restart", "deploy/web"]);
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  assert.match(await get(".spec.template.metadata.annotations"), /restartedAt/);
});

Deno.test("kubectl delete waits until objects are gone, also namespaces with content", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await ok(["create", "namespace", "tmp"]);
  await ok(["create", "configmap", "cm", "-n", "tmp"]);
  await ok(["run", "one", "--image=x:1"]);
  await ok(["wait", "--for=condition=Ready", "pod/one", "--timeout=30s"]);
  assert.match(await ok(["delete", "pod", "one", "--wait", "--timeout=30s"]), /pod "one" deleted/);
  assert.match((await cluster.kubectl(["get", "pod", "one"])).err, /pods "one" not found/);
  await ok(["delete", "namespace", "tmp", "--timeout=30s"]);
  assert.match((await cluster.kubectl(["get", "ns", "tmp"])).err, /namespaces "tmp" not found/);
  await ok(["create", "configmap", "a"]);
  await ok(["delete", "configmaps", "--all"]);
  // The cluster makes its own one anew.
  const left = (await ok(["get", "configmaps", "-o", "name"])).trim();
  assert.match(left, /^(configmap\/kube-root-ca\.crt)?$/);
});

Deno.test("kubectl describe, events, api-resources, api-versions and explain work", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await apply(cluster, manifest());
  await ok(["rollout", "status", "deploy/web", "--timeout=30s"]);
  const pod = (await ok(["get", "pods", "-o", "name"])).trim();
  const { metadata } = JSON.parse(await ok(["get", pod, "-o", "json"]));
  await cluster.store.create(RESOURCES.events, {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "e1", namespace: "default" },
    involvedObject: { kind: "Pod", name: metadata.name, namespace: "default", uid: metadata.uid },
    reason: "Pulled",
    message: "image is there",
    type: "Normal",
    count: 1,
    firstTimestamp: metadata.creationTimestamp,
    lastTimestamp: metadata.creationTimestamp,
  });
  const described = await ok(["describe", pod]);
  assert.match(described, /Status: +Running/);
  assert.match(described, /Normal +Pulled .*image is there/);
  assert.match(await ok(["describe", "deploy", "web"]), /Replicas: +1 desired \| 1 updated/);
  assert.match(await ok(["describe", "node", "edge-1"]), new RegExp(metadata.name));
  assert.match(
    await ok(["get", "events"]),
    new RegExp(`Pulled +pod/${metadata.name} +image is there`),
  );
  assert.match(await ok(["events"]), /Pulled/);
  const resources = await ok(["api-resources", "-o", "wide"]);
  assert.match(
    resources,
    /^deployments +deploy +apps\/v1 +true +Deployment +create,delete,deletecollection,get,list,patch,update,watch +all$/m,
  );
  assert.match(resources, /^wasmfunctions +wf /m);
  assert.match(await ok(["api-versions"]), /^apps\/v1$/m);
  assert.match(await ok(["explain", "pod.spec.containers"]), /image\t<string>/);
  assert.match(await ok(["explain", "deploy", "--recursive"]), /replicas\t<integer>/);
  assert.match(await ok(["explain", "wf.spec.limits"]), /Default 16Mi/);
  const version = cluster.inProcess ? /v1\.34\.0-skerry\.0\.1\.0/ : /v1\.\d+\./;
  assert.match(await ok(["version"]), new RegExp(`Server Version: ${version.source}`));
});

Deno.test("kubectl auth can-i and whoami answer by role, and refusals name what is missing", async () => {
  await using cluster = await startCluster();
  const { ok, kubectl } = cluster;
  assert.equal((await ok(["auth", "can-i", "delete", "pods"])).trim(), "yes");
  const viewer = { as: "viewer" } as const;
  assert.equal((await kubectl(["auth", "can-i", "delete", "pods"], viewer)).out.trim(), "no");
  assert.equal((await ok(["auth", "can-i", "list", "pods"], viewer)).trim(), "yes");
  const rights = await ok(["auth", "can-i", "--list"], viewer);
  for (const one of ["pods", "pods/log", "deployments.apps", "deployments.apps/scale", "nodes"]) {
    assert.match(rights, new RegExp(`^${one} +.*\\[get list watch\\]$`, "m"));
  }
  assert.doesNotMatch(rights, /secrets/);
  assert.match(await ok(["auth", "can-i", "--list"]), /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
  assert.match(await ok(["auth", "whoami"], viewer), /vera[\s\S]*skerry:viewers/);
  assert.match(
    (await kubectl(["get", "secrets"], viewer)).err,
    /Forbidden.*User "vera" cannot list resource "secrets" in API group "" in the namespace "default"/,
  );
  assert.match((await kubectl(["get", "pods"], { as: "nobody" })).err, /logged in|Unauthorized/);
});

Deno.test("kubectl cordon, taint, drain and uncordon work on a node", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  await ok(["run", "one", "--image=x:1"]);
  await ok(["wait", "--for=condition=Ready", "pod/one", "--timeout=30s"]);
  await ok(["taint", "node", "edge-1", "a=b:NoSchedule"]);
  await ok(["drain", "edge-1", "--force", "--timeout=30s"]);
  assert.match(await ok(["get", "node", "edge-1"]), /Ready,SchedulingDisabled/);
  assert.equal((await cluster.store.list(RESOURCES.pods)).items.length, 0);
  await ok(["uncordon", "edge-1"]);
  // A cluster's controller takes the taint of a node that is cordoned off a moment later.
  await until("only the user's own taint is left", async () => {
    const { spec } = JSON.parse(await ok(["get", "node", "edge-1", "-o", "json"]));
    const keys = (spec.taints ?? []).map(({ key }: { key: string }) => key);
    if (keys.includes("node.kubernetes.io/unschedulable")) return undefined;
    assert.deepEqual(spec.taints, [{ key: "a", value: "b", effect: "NoSchedule" }]);
    return true;
  });
});

Deno.test("kubectl says what is wrong with bad input and how to fix it", async () => {
  await using cluster = await startCluster();
  const fails = async (stdin: string, want: RegExp): Promise<void> => {
    const { code, err } = await cluster.kubectl(["apply", "-f", "-"], { stdin });
    assert.equal(code, 1);
    assert.match(err, want);
  };
  await fails(manifest().replace("replicas", "replica"), /unknown field "spec\.replica"/);
  await fails(
    manifest().replace("matchLabels: {app: web}", "matchLabels: {app: api}"),
    /The Deployment "web" is invalid: spec\.template\.metadata\.labels: .*`selector` does not match template `labels`/,
  );
  await fails(manifest().replace("image: nginx:1", ""), /containers\[0\]\.image: Required value/);
  await fails(
    manifest().replace("replicas: 1", "replicas: one"),
    // Kubernetes speaks of the Go type here.
    cluster.inProcess
      ? /spec\.replicas: must be an integer, not "one"/
      : /spec\.replicas of type int32/,
  );
  await fails(manifest().replace("name: web", "name: Web"), /metadata\.name: Invalid value: "Web"/);
  await fails(
    "apiVersion: skerry.dev/v1alpha1\nkind: WasmFunction\nmetadata: {name: f}\nspec: {source: {}}\n",
    /The WasmFunction "f" is invalid: spec\.source: (Invalid value: )?must have exactly one of file, configMapRef, http/,
  );
  const big = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {a: "${
    "x".repeat(1_200_000)
  }"}\n`;
  const { err } = await cluster.kubectl(["create", "-f", "-"], { stdin: big });
  assert.match(err, /Too long: may not be more than 1048576 bytes/);
  await apply(cluster, manifest());
  const selector = manifest().replaceAll("{app: web}", "{app: other}");
  await fails(selector, /spec\.selector: .*field is immutable/);
  if (!cluster.inProcess) return;
  const server = await cluster.kubectl(["apply", "--server-side", "-f", "-"], {
    stdin: manifest(),
  });
  assert.match(server.err, /use kubectl apply without --server-side/);
});

Deno.test("a WasmFunction is applied, changed, labelled and shown as any other object", async () => {
  await using cluster = await startCluster();
  const { ok } = cluster;
  const wasm = (file: string): string =>
    `apiVersion: skerry.dev/v1alpha1\nkind: WasmFunction\nmetadata: {name: f}\nspec: {source: {file: ${file}}}\n`;
  assert.match(await apply(cluster, wasm("a.wasm")), /created/);
  assert.match(await apply(cluster, wasm("b.wasm")), /configured/);
  await ok(["label", "wf", "f", "a=b"]);
  const [header = "", row = ""] = (await ok(["get", "wf", "-o", "wide"])).split("\n");
  const columns = "NAME READY REASON INVOCATIONS NODES AGE DIGEST MESSAGE ERRORS".split(" ");
  const shown = header.split(/ +/);
  assert.deepEqual(columns.filter((one) => !shown.includes(one)), []);
  // Columns of a CRD show what is there and compute nothing.
  assert.match(row, cluster.inProcess ? /^f +Unknown/ : /^f +/);
  const { spec, metadata } = JSON.parse(await ok(["get", "wf", "f", "-o", "json"]));
  assert.deepEqual([spec.source.file, metadata.generation, metadata.labels], ["b.wasm", 2, {
    a: "b",
  }]);
});

Deno.test("kubectl --as gives no right, and no user can make a running pod look like a mirror", async () => {
  await using cluster = await startCluster();
  const { ok, kubectl } = cluster;
  const as = await kubectl(["create", "configmap", "a", "--as=nobody", "--as-group=x"]);
  assert.match(as.err, cluster.inProcess ? /impersonation is not served/ : /User "nobody" cannot/);
  assert.match((await kubectl(["get", "cm", "a"])).err, /not found/);
  await ok(["run", "one", "--image=x:1"]);
  await ok(["wait", "--for=condition=Ready", "pod/one", "--timeout=30s"]);
  const mark = await kubectl(["annotate", "pod", "one", "kubernetes.io/config.mirror=x"]);
  assert.match(
    mark.err,
    /metadata\.annotations\[kubernetes\.io\/config\.mirror\]: Forbidden: may not add mirror pod/,
  );
  await ok(["delete", "pod", "one", "--timeout=30s"]);
});
