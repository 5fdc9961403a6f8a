import { strictEqual } from "node:assert/strict";
import { rbacLike } from "../../core/http/mod.ts";
import { protectNamespaces } from "./protect.ts";

const ADMIN = { name: "admin", groups: ["system:masters"] };

async function may(verb: string, resource: string, name: string): Promise<boolean> {
  const decision = await protectNamespaces(rbacLike())(ADMIN, {
    verb,
    resource,
    name,
    group: "",
    version: "v1",
    subresource: "",
    namespace: "",
    path: "",
  });
  return decision.allowed;
}

Deno.test("protectNamespaces() keeps the cluster's own namespaces from everybody", async () => {
  for (const name of ["skerry-system", "default", "kube-system", "kube-node-lease"]) {
    strictEqual(await may("delete", "namespaces", name), false, name);
  }
  strictEqual(await may("deletecollection", "namespaces", ""), false);
});

Deno.test("protectNamespaces() leaves everything else to the roles", async () => {
  strictEqual(await may("delete", "namespaces", "mine"), true);
  strictEqual(await may("get", "namespaces", "default"), true);
  strictEqual(await may("delete", "nodes", "default"), true);
});
