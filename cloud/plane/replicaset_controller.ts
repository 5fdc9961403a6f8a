import { type KubeObject, type Pod, type ReplicaSet, RESOURCES } from "../../core/api/mod.ts";
import { errorText, isAppError, type Service } from "../../core/base/mod.ts";
import { controllerOf, createController, keyOf, trigger } from "../../core/control/mod.ts";
import type { PlaneContext } from "./context.ts";
import { createRecorder, recordPods } from "./events.ts";
import { planReplicaSet, withFailure } from "./replicaset.ts";

/** Keeps ReplicaSets' pods. */
export function createReplicaSetController(context: PlaneContext): Service {
  const sets = context.views.of<ReplicaSet>(RESOURCES.replicasets);
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const recorder = createRecorder({ ...context, component: "replicaset-controller" });
  return createController({
    ...context,
    name: "replicaset-controller",
    triggers: [
      trigger(sets, (set) => [keyOf(set)]),
      trigger(pods, (pod) => {
        const owner = controllerOf(pod);
        const { namespace = "" } = pod.metadata;
        if (owner) return owner.kind === "ReplicaSet" ? [`${namespace}/${owner.name}`] : [];
        // An orphan may be anybody's: all sets of its namespace look at it.
        return sets.by("namespace", namespace).map(keyOf);
      }),
    ],
    reconcile: async (key) => {
      const set = sets.get(key);
      if (!set) return;
      const own = pods.by("namespace", set.metadata.namespace ?? "");
      const plan = planReplicaSet(set, own, context.clock.now());
      let created: KubeObject[];
      try {
        created = await context.actor.run(plan.actions);
      } catch (error) {
        if (!isAppError(error, "Conflict")) await tell(set, error);
        throw error;
      }
      await recordPods(recorder, set, { created, actions: plan.actions });
      if (set.status?.conditions?.length && created.length > 0) {
        await writeFailure(set, undefined);
      }
      return plan.again;
    },
  });

  async function tell(set: ReplicaSet, error: unknown): Promise<void> {
    const message = errorText(error);
    await recorder.record(set, { type: "Warning", reason: "FailedCreate", message });
    await writeFailure(set, message);
  }

  async function writeFailure(set: ReplicaSet, message: string | undefined): Promise<void> {
    const { namespace = "", name } = set.metadata;
    const ref = { resource: RESOURCES.replicasets, namespace, name };
    try {
      const done = await context.store.update(
        ref,
        (current) => withFailure(current as ReplicaSet, message, context.clock.now()),
        { subresource: "status" },
      );
      sets.wrote(done);
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
    }
  }
}
