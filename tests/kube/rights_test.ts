import assert from "node:assert/strict";
import { allows, type Audited, grantsOf } from "./rights.ts";

const [readPods, writeStatus, become, oneName] = grantsOf([{
  kind: "Role",
  metadata: { name: "r", namespace: "a" },
  rules: [
    { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
    { apiGroups: [""], resources: ["pods/status"], verbs: ["impersonate-on:arbitrary-node:patch"] },
    {
      apiGroups: ["authentication.k8s.io"],
      resources: ["nodes"],
      verbs: ["impersonate:arbitrary-node"],
    },
    { apiGroups: [""], resources: ["configmaps"], resourceNames: ["x"], verbs: ["get"] },
  ],
}]);

function request(verb: string, objectRef: Audited["objectRef"], as?: string): Audited {
  return {
    verb,
    requestURI: "/",
    ...(objectRef ? { objectRef } : {}),
    ...(as === undefined ? {} : { impersonatedUser: { username: as } }),
  };
}

Deno.test("allows() tells verbs, namespaces, names, subresources and who asks apart", () => {
  assert.ok(readPods && writeStatus && become && oneName);
  const pod = { resource: "pods", namespace: "a", name: "p", apiGroup: "" };
  const status = { ...pod, subresource: "status" };
  assert.equal(allows(readPods, request("get", pod)), true);
  assert.equal(allows(readPods, request("list", pod)), false);
  assert.equal(allows(readPods, request("get", { ...pod, namespace: "b" })), false);
  assert.equal(allows(readPods, request("get", status)), false);
  assert.equal(allows(readPods, request("get", pod, "system:node:n")), false);
  assert.equal(allows(writeStatus, request("patch", status, "system:node:n")), true);
  assert.equal(allows(writeStatus, request("patch", status)), false);
  assert.equal(allows(become, request("patch", status, "system:node:n")), true);
  assert.equal(allows(become, request("patch", status)), false);
  const config = { resource: "configmaps", namespace: "a", name: "x" };
  assert.equal(allows(oneName, request("get", config)), true);
  assert.equal(allows(oneName, request("get", { ...config, name: "y" })), false);
});
