import { type DaemonSet, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { errorText, isAppError, type Service } from "../../core/base/mod.ts";
import { controllerOf, createController, keyOf, trigger } from "../../core/control/mod.ts";
import type { PlaneContext } from "./context.ts";
import { planDaemonSet } from "./daemonset.ts";
import { createRecorder, recordPods } from "./events.ts";

/** Keeps DaemonSets' pods. */
export function createDaemonSetController(context: PlaneContext): Service {
  const sets = context.views.of<DaemonSet>(RESOURCES.daemonsets);
  const nodes = context.views.of<Node>(RESOURCES.nodes);
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const recorder = createRecorder({ ...context, component: "daemonset-controller" });
  return createController({
    ...context,
    name: "daemonset-controller",
    triggers: [
      trigger(sets, (set) => [keyOf(set)]),
      trigger(nodes, () => sets.all().map(keyOf)),
      trigger(pods, (pod) => {
        const owner = controllerOf(pod);
        const { namespace = "" } = pod.metadata;
        if (owner) return owner.kind === "DaemonSet" ? [`${namespace}/${owner.name}`] : [];
        return sets.by("namespace", namespace).map(keyOf);
      }),
    ],
    reconcile: async (key) => {
      const set = sets.get(key);
      if (!set) return;
      const plan = planDaemonSet({
        set,
        nodes: nodes.all().filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .sort((a, b) => a.metadata.name < b.metadata.name ? -1 : 1),
        pods: pods.by("namespace", set.metadata.namespace ?? ""),
        now: context.clock.now(),
      });
      try {
        const created = await context.actor.run(plan.actions);
        await recordPods(recorder, set, { created, actions: plan.actions });
      } catch (error) {
        if (!isAppError(error, "Conflict")) {
          const message = errorText(error);
          await recorder.record(set, { type: "Warning", reason: "FailedCreate", message });
        }
        throw error;
      }
      return plan.again;
    },
  });
}
