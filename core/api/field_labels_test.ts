import assert from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { checkFieldLabels } from "./field_labels.ts";
import { parseFieldSelector } from "./field_selectors.ts";
import { RESOURCES } from "./resources.ts";

Deno.test("checkFieldLabels() takes what Kubernetes selects by, and names what it does not", () => {
  const check = (resource: keyof typeof RESOURCES, text: string): void =>
    checkFieldLabels(RESOURCES[resource], parseFieldSelector(text));
  check("pods", "metadata.name=a,spec.nodeName!=n,status.phase=Running");
  check("events", "involvedObject.uid=u,involvedObject.kind=Pod,reason=Started,type!=Normal");
  check("wasmfunctions", "metadata.namespace=default");
  for (
    const [resource, text, path] of [
      ["pods", "spec.foo=bar", "spec.foo"],
      ["configmaps", "metadata.name=a,type=x", "type"],
      ["deployments", "status.replicas=1", "status.replicas"],
    ] as const
  ) {
    assert.throws(
      () => check(resource, text),
      (error) =>
        isAppError(error, "BadRequest") && error.message === `field label not supported: ${path}`,
    );
  }
});
