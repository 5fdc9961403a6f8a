import assert from "node:assert/strict";
import { silentLogger } from "../../core/base/mod.ts";
import type { KubeObject, Toleration } from "../../core/api/mod.ts";
import { admissionHandler, WEBHOOK_PATH } from "./mod.ts";

const LOST = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const kubernetesOwn = LOST.map((key) => ({
  key,
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300,
}));

function group(name: string, labels: Record<string, string>): KubeObject {
  return { apiVersion: "apps.kubeedge.io/v1alpha1", kind: "NodeGroup", metadata: { name, labels } };
}

async function ask(body: unknown) {
  const handler = admissionHandler({
    find: (name) =>
      name === "broken" ? Promise.reject(new Error("the API server is away")) : Promise.resolve(
        name === "mine" ? group(name, { "app-offline.kubeedge.io": "autonomy" }) : group(name, {}),
      ),
    log: silentLogger,
  });
  const request = new Request(`https://hub${WEBHOOK_PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { response } = await (await handler(request, { signal: request.signal })).json();
  assert.equal(response.allowed, true);
  return response;
}

async function tolerations(pod: Record<string, unknown>): Promise<Toleration[] | undefined> {
  const object = { kind: "Pod", metadata: { name: "web", namespace: "a" }, spec: {}, ...pod };
  const response = await ask({ request: { uid: "u1", object } });
  assert.equal(response.uid, "u1");
  if (!response.patch) return undefined;
  const [change] = JSON.parse(atob(response.patch));
  assert.deepEqual([change.op, change.path], ["add", "/spec/tolerations"]);
  return change.value;
}

Deno.test("a pod that asks for autonomy tolerates lost nodes for ever, and keeps its other tolerations", async () => {
  const own = { key: "gpu", operator: "Exists" };
  const spec = { tolerations: [own, ...kubernetesOwn] };
  const metadata = { name: "web", labels: { "app-offline.kubeedge.io": "autonomy" } };
  assert.deepEqual(await tolerations({ metadata, spec }), [
    own,
    ...LOST.map((key) => ({ key, operator: "Exists", effect: "NoExecute" })),
  ]);
});

Deno.test("so does a pod of a NodeGroup that asks for it, and no other", async () => {
  const of = (name: string) => ({ nodeSelector: { "apps.kubeedge.io/belonging-to": name } });
  assert.equal((await tolerations({ spec: of("mine") }))?.length, 2);
  assert.equal(await tolerations({ spec: of("theirs") }), undefined);
  assert.equal(await tolerations({ spec: of("broken") }), undefined);
  assert.equal(await tolerations({}), undefined);
});

Deno.test("whatever comes instead of a pod is let in as it is", async () => {
  for (const object of [undefined, null, "x", { kind: "Pod" }, { kind: "Job", spec: {} }]) {
    assert.equal((await ask({ request: { uid: "u", object } })).patch, undefined);
  }
  await assert.rejects(ask({}), /no AdmissionReview/);
});
