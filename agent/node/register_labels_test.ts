import { deepStrictEqual, throws } from "node:assert/strict";
import { parseLabels } from "./register_labels.ts";

Deno.test("parseLabels() reads labels with a value and without", () => {
  deepStrictEqual(
    parseLabels(["example.com/hall=7", "edge", "topology.kubernetes.io/zone=a", "plain="]),
    { "example.com/hall": "7", edge: "", "topology.kubernetes.io/zone": "a", plain: "" },
  );
});

Deno.test("parseLabels() refuses what the hub would leave out, and says what to do", () => {
  for (
    const key of ["node-role.kubernetes.io/master", "node-restriction.kubernetes.io/x", "k8s.io/x"]
  ) {
    throws(
      () => parseLabels(["a=b", `${key}=1`]),
      (error: Error) =>
        error.message.startsWith(`--labels=${key}=1: Kubernetes lets no node`) &&
        error.message.includes(`kubectl label node NAME ${key}=1`),
      key,
    );
  }
});
