import { type Deployment, type Pod, type ReplicaSet, RESOURCES } from "../../core/api/mod.ts";
import { isAppError, type Service } from "../../core/base/mod.ts";
import {
  type Action,
  controllerOf,
  createController,
  keyOf,
  trigger,
} from "../../core/control/mod.ts";
import type { PlaneContext } from "./context.ts";
import { planDeployment } from "./deployment.ts";
import { createRecorder } from "./events.ts";
import { wants } from "./rollout.ts";
import { sameTemplate } from "./template.ts";

/** Rolls Deployments out. */
export function createDeploymentController(context: PlaneContext): Service {
  const deployments = context.views.of<Deployment>(RESOURCES.deployments);
  const sets = context.views.of<ReplicaSet>(RESOURCES.replicasets);
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const recorder = createRecorder({ ...context, component: "deployment-controller" });
  const ownersOf = (set: ReplicaSet): string[] => {
    const owner = controllerOf(set);
    const { namespace = "" } = set.metadata;
    if (owner) return owner.kind === "Deployment" ? [`${namespace}/${owner.name}`] : [];
    return deployments.by("namespace", namespace).map(keyOf);
  };
  return createController({
    ...context,
    name: "deployment-controller",
    triggers: [
      trigger(deployments, (deployment) => [keyOf(deployment)]),
      trigger(sets, ownersOf),
      // Recreate waits for the last old pod to be gone.
      trigger(pods, (pod, gone) => {
        const owner = controllerOf(pod);
        if (!gone || owner?.kind !== "ReplicaSet") return [];
        const set = sets.get(`${pod.metadata.namespace}/${owner.name}`);
        return set ? ownersOf(set) : [];
      }),
    ],
    reconcile: async (key) => {
      const deployment = deployments.get(key);
      if (!deployment) return;
      const plan = planDeployment({
        deployment,
        sets: sets.by("namespace", deployment.metadata.namespace ?? ""),
        podsOf: (uid) => pods.by("owner", uid),
        now: context.clock.now(),
      });
      for (const action of plan.actions) {
        const message = scalingMessage(action);
        // A status must not be written over an object that a step before it has changed.
        if (action.do === "create" && await collides(deployment, action.object as ReplicaSet)) {
          return;
        }
        if (action.do !== "create") await context.actor.run([action]);
        if (message !== undefined) {
          await recorder.record(deployment, {
            type: "Normal",
            reason: "ScalingReplicaSet",
            message,
          });
        }
        if (action.do === "update" && action.resource === RESOURCES.deployments) return;
      }
      return plan.again;
    },
  });

  /** Creates the ReplicaSet; when its name is taken by another template, counts a collision. */
  async function collides(deployment: Deployment, set: ReplicaSet): Promise<boolean> {
    try {
      await context.actor.run([{ do: "create", resource: RESOURCES.replicasets, object: set }]);
      return false;
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
    }
    const { namespace = "", name } = set.metadata;
    const taken = await context.store.get({ resource: RESOURCES.replicasets, namespace, name });
    const ours = controllerOf(taken)?.uid === deployment.metadata.uid &&
      sameTemplate((taken as ReplicaSet).spec.template, deployment.spec.template);
    if (ours) {
      sets.wrote(taken);
      return true;
    }
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    const object = { ...deployment, status: { ...deployment.status, collisionCount } };
    await context.actor.run([{ do: "status", resource: RESOURCES.deployments, object }]);
    return true;
  }

  /** Says what a step does to the number of a ReplicaSet's pods. Asked before the step. */
  function scalingMessage({ do: what, object }: Action): string | undefined {
    if (object.kind !== "ReplicaSet" || (what !== "create" && what !== "update")) return undefined;
    const { name } = object.metadata;
    const before = sets.get(keyOf(object));
    const from = before && what === "update" ? wants(before) : 0;
    const to = wants(object as ReplicaSet);
    if (from === to) return undefined;
    return `Scaled ${to > from ? "up" : "down"} replica set ${name} from ${from} to ${to}`;
  }
}
