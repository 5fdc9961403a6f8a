import assert from "node:assert/strict";
import fc from "fast-check";
import { type Deployment, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { isAppError } from "../../core/base/mod.ts";
import { until } from "../until_test_helper.ts";
import {
  deploymentOf,
  type Harness,
  setTemplate,
  startPlane,
  templateOf,
} from "./harness_test_helper.ts";
import { isActive, isReady } from "./pods.ts";

type Step =
  | { readonly do: "scale"; readonly to: number }
  | { readonly do: "roll"; readonly to: number }
  | { readonly do: "fail-pod" | "delete-pod"; readonly nth: number }
  | { readonly do: "delete-set"; readonly nth: number }
  | { readonly do: "drop-node" | "add-node"; readonly nth: number }
  | { readonly do: "recreate" }
  | { readonly do: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("scale" as const), to: fc.nat(8) }),
  fc.record({ do: fc.constant("roll" as const), to: fc.nat(2) }),
  fc.record({ do: fc.constantFrom("fail-pod" as const, "delete-pod" as const), nth: fc.nat(9) }),
  fc.record({ do: fc.constant("delete-set" as const), nth: fc.nat(3) }),
  fc.record({ do: fc.constantFrom("drop-node" as const, "add-node" as const), nth: fc.nat(3) }),
  fc.record({ do: fc.constant("recreate" as const) }),
  fc.record({ do: fc.constant("restart" as const) }),
);

const REF = { resource: RESOURCES.deployments, namespace: "default", name: "web" };

/** Does one step; an object that is gone meanwhile is no matter. */
async function take(plane: Harness, one: Step): Promise<void> {
  const nth = async (kind: "pods" | "replicasets", at: number) => {
    const all = await plane.list(RESOURCES[kind]);
    const name = all[at % Math.max(1, all.length)]?.metadata.name;
    return name && { resource: RESOURCES[kind], namespace: "default", name };
  };
  switch (one.do) {
    case "scale":
      await plane.store.update(REF, (deployment) => ({
        ...deployment,
        spec: { ...deployment["spec"], replicas: one.to },
      }));
      return;
    case "roll":
      return await setTemplate(plane.store, REF, templateOf("web", `example/app:${one.to}`));
    case "fail-pod": {
      const ref = await nth("pods", one.nth);
      const status = { phase: "Failed" };
      if (ref) await plane.store.update(ref, (p) => ({ ...p, status }), { subresource: "status" });
      return;
    }
    case "delete-pod":
    case "delete-set": {
      const ref = await nth(one.do === "delete-pod" ? "pods" : "replicasets", one.nth);
      if (ref) await plane.store.delete(ref);
      return;
    }
    case "drop-node":
      // The pods of a node that is gone are confirmed by nobody; `a` stays as the last resort.
      plane.deaf.add(`n${one.nth}`);
      await plane.store.update({ resource: RESOURCES.nodes, name: `n${one.nth}` }, (node) => ({
        ...node,
        spec: { unschedulable: true },
      }));
      return;
    case "add-node":
      plane.deaf.delete(`n${one.nth}`);
      await plane.store.update({ resource: RESOURCES.nodes, name: `n${one.nth}` }, (node) => ({
        ...node,
        spec: {},
      }));
      return;
    case "recreate": {
      const deployment = await plane.get<Deployment>(RESOURCES.deployments, "web");
      const { replicas = 1, template } = deployment.spec;
      await plane.store.delete(REF);
      await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas, template }));
      return;
    }
    case "restart":
      return await plane.restart();
  }
}

Deno.test("whatever is scaled, rolled out, failed, deleted or restarted, the plane converges", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat(),
      async (steps, seed) => {
        await using plane = await startPlane({ seed, nodes: ["a", "n0", "n1", "n2", "n3"] });
        await plane.create(RESOURCES.deployments, deploymentOf("web", { replicas: 3 }));
        for (const one of steps) {
          try {
            await take(plane, one);
          } catch (error) {
            if (!isAppError(error, "NotFound", "Conflict")) throw error;
          }
        }
        // All nodes answer again, so that what was asked to go can go.
        for (const name of [...plane.deaf]) plane.deaf.delete(name);
        for (const pod of await plane.list<Pod>(RESOURCES.pods)) {
          const ref = { resource: RESOURCES.pods, namespace: "default", name: pod.metadata.name };
          const annotations = { ...pod.metadata.annotations, poke: "1" };
          await plane.store.update(ref, (p) => ({ ...p, metadata: { ...p.metadata, annotations } }))
            .catch((error) => {
              if (!isAppError(error, "NotFound")) throw error;
            });
        }
        await until(() => isSettled(plane));
        // Settled must also mean quiet: the state stays for a few more turns of every controller.
        const before = await snapshot(plane);
        await plane.restart();
        await until(() => isSettled(plane));
        assert.equal(await snapshot(plane), before);
      },
    ),
    { numRuns: 25 },
  );
});

async function isSettled(plane: Harness): Promise<boolean> {
  const { spec, status, metadata } = await plane.get<Deployment>(RESOURCES.deployments, "web");
  const wanted = spec.replicas ?? 1;
  const pods = (await plane.list<Pod>(RESOURCES.pods)).filter(({ status }) =>
    status?.phase !== "Failed"
  );
  return pods.length === wanted &&
    pods.every((pod) =>
      isActive(pod) && isReady(pod) &&
      pod.spec.containers[0]?.image === spec.template.spec.containers[0]?.image
    ) && status?.observedGeneration === metadata.generation &&
    (status?.replicas ?? 0) === wanted && (status?.updatedReplicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted;
}

async function snapshot(plane: Harness): Promise<string> {
  const pods = await plane.list<Pod>(RESOURCES.pods);
  const sets = await plane.list(RESOURCES.replicasets);
  return JSON.stringify([
    pods.map(({ metadata, spec }) => [metadata.uid, spec.nodeName]),
    sets.map(({ metadata }) => metadata.uid),
  ]);
}
