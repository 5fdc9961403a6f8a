import assert from "node:assert/strict";
import type { Attributes } from "../../core/http/mod.ts";
import { allows, rulesIn } from "./rules.ts";

const RULES = {
  own: rulesIn({
    resourceRules: [
      { verbs: ["get", "list"], apiGroups: [""], resources: ["pods", "pods/log"] },
      { verbs: ["get"], apiGroups: [""], resources: ["secrets"], resourceNames: ["mine"] },
      {
        verbs: ["watch", "list"],
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: ["cm"],
      },
      { verbs: ["*"], apiGroups: ["apps"], resources: ["*"] },
      { verbs: ["get"], apiGroups: ["batch"], resources: ["*/status"] },
    ],
  }),
  everywhere: rulesIn({
    resourceRules: [{ verbs: ["get"], apiGroups: ["*"], resources: ["nodes"] }],
    nonResourceRules: [
      { verbs: ["get"], nonResourceURLs: ["/version", "/api/*"] },
      { verbs: ["post"], nonResourceURLs: ["*"] },
    ],
  }),
};

function may(verb: string, resource: string, more: Partial<Attributes> = {}): boolean {
  const [plural = "", subresource = ""] = resource.split("/");
  return allows(RULES, "home", {
    ...{ verb, group: "", version: "v1", resource: plural, subresource, namespace: "home" },
    ...{ name: "", path: "", ...more },
  });
}

Deno.test("allows() judges verbs, groups, resources and subresources as RBAC does", () => {
  assert.ok(may("get", "pods", { name: "a" }));
  assert.ok(!may("watch", "pods"));
  assert.ok(may("get", "pods/log", { name: "a" }));
  assert.ok(!may("get", "pods/exec", { name: "a" }));
  assert.ok(!may("get", "pods", { group: "metrics.k8s.io" }));
  assert.ok(may("delete", "deployments", { group: "apps" }));
  assert.ok(may("get", "deployments/scale", { group: "apps" }));
  assert.ok(may("get", "jobs/status", { group: "batch" }));
  assert.ok(!may("get", "jobs", { group: "batch" }));
});

Deno.test("allows() keeps names, namespaces and the cluster apart", () => {
  assert.ok(may("get", "secrets", { name: "mine" }));
  assert.ok(!may("get", "secrets", { name: "other" }));
  assert.ok(!may("list", "secrets"));
  assert.ok(!may("list", "configmaps"));
  assert.ok(may("list", "configmaps", { fieldSelector: "metadata.name=cm" }));
  assert.ok(!may("list", "configmaps", { fieldSelector: "metadata.name!=cm" }));
  assert.ok(!may("get", "pods", { name: "a", namespace: "other" }));
  assert.ok(!may("list", "pods", { namespace: "" }));
  assert.ok(may("get", "nodes", { name: "n", namespace: "" }));
  assert.ok(!may("list", "nodes", { namespace: "" }));
});

Deno.test("allows() judges paths by the rules of the cluster", () => {
  const path = (verb: string, at: string): boolean => may(verb, "", { path: at, namespace: "" });
  assert.ok(path("get", "/version"));
  assert.ok(!path("get", "/versions"));
  assert.ok(path("get", "/api/v1"));
  assert.ok(!path("get", "/metrics"));
  assert.ok(path("post", "/anything"));
});

Deno.test("rulesIn() lets a rule allow nothing that cannot be read", () => {
  for (const status of [undefined, null, 7, {}, { resourceRules: "x" }, { resourceRules: [7] }]) {
    assert.deepEqual(rulesIn(status), { resources: [], paths: [] });
  }
  const broken = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
  for (const resourceNames of [[7], "x", {}, [null, "a"]]) {
    assert.deepEqual(rulesIn({ resourceRules: [{ ...broken, resourceNames }] }).resources, []);
  }
  const [rule] = rulesIn({ resourceRules: [{ ...broken, verbs: [1, "get"] }] }).resources;
  assert.deepEqual(rule?.verbs, ["get"]);
});
