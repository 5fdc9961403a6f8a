import { type Condition, conditionOf, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { isAppError, type Service, toTime } from "../../core/base/mod.ts";
import { createController, keyOf, trigger } from "../../core/control/mod.ts";
import { createRecorder } from "./events.ts";
import type { PlaneContext } from "./context.ts";
import { isTerminated } from "./pods.ts";
import { schedule } from "./schedule.ts";
import { logUnreadable } from "./unreadable.ts";

/** The name that pods carry in `spec.schedulerName` when they want this scheduler. */
export const SCHEDULER = "default-scheduler";

/** Binds pods to nodes. One worker: each decision sees the one before. */
export function createScheduler(context: PlaneContext): Service {
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const nodes = context.views.of<Node>(RESOURCES.nodes);
  const recorder = createRecorder({ ...context, component: SCHEDULER });
  const unreadable = logUnreadable(context.log);
  const waiting = (): string[] => pods.by("node", "").filter(isSchedulable).map(keyOf);
  return createController({
    ...context,
    name: "scheduler",
    workers: 1,
    triggers: [
      // A bound pod that ends or goes makes room for those that wait.
      trigger(pods, (pod, gone) => {
        if (!pod.spec.nodeName) return isSchedulable(pod) ? [keyOf(pod)] : [];
        return gone || isTerminated(pod) ? waiting() : [];
      }),
      trigger(nodes, waiting),
    ],
    reconcile: async (key) => {
      const pod = pods.get(key);
      if (!pod || pod.spec.nodeName || !isSchedulable(pod)) return;
      const placement = schedule({
        pod,
        nodes: nodes.all().filter(({ metadata }) => metadata.deletionTimestamp === undefined),
        podsOn: (node) => pods.by("node", node),
        onUnreadable: unreadable,
      });
      if (placement.node === undefined) {
        if (!await setScheduled(pod, placement.message)) return;
        const { message } = placement;
        await recorder.record(pod, { type: "Warning", reason: "FailedScheduling", message });
        return;
      }
      if (!await bind(pod, placement.node)) return;
      context.log.info("pod bound", {
        ns: pod.metadata.namespace,
        name: key,
        node: placement.node,
      });
      const message = `Successfully assigned ${key} to ${placement.node}`;
      await recorder.record(pod, { type: "Normal", reason: "Scheduled", message });
    },
  });

  /** Writes the node's name. Returns whether this call did it. */
  async function bind(pod: Pod, node: string): Promise<boolean> {
    try {
      const bound = await context.store.update(refOf(pod), (current) => {
        if (current["spec"]?.nodeName) return current;
        return { ...current, spec: { ...current["spec"], nodeName: node } };
      }, { preconditions: { uid: pod.metadata.uid ?? "" } });
      pods.wrote(bound);
      if (bound["spec"]?.nodeName !== node) return false;
      await setScheduled(bound as Pod);
      return true;
    } catch (error) {
      if (isAppError(error, "NotFound", "Conflict")) return false;
      throw error;
    }
  }

  /** Writes the PodScheduled condition; `problem` says why not. Returns whether it changed. */
  async function setScheduled(pod: Pod, problem?: string): Promise<boolean> {
    let changed = false;
    try {
      const done = await context.store.update(refOf(pod), (current) => {
        const next = scheduledCondition(current as Pod, problem, toTime(context.clock.now()));
        changed = next !== undefined;
        if (!next) return current;
        const others = (current["status"]?.conditions ?? [])
          .filter(({ type }: Condition) => type !== next.type);
        return { ...current, status: { ...current["status"], conditions: [...others, next] } };
      }, { subresource: "status", preconditions: { uid: pod.metadata.uid ?? "" } });
      pods.wrote(done);
    } catch (error) {
      if (!isAppError(error, "NotFound", "Conflict")) throw error;
      return false;
    }
    return changed;
  }
}

/** The PodScheduled condition that a pod should get; `undefined` when it has it. */
export function scheduledCondition(
  pod: Pod,
  problem: string | undefined,
  now: string,
): Condition | undefined {
  const before = conditionOf(pod, "PodScheduled");
  const status = problem === undefined ? "True" : "False";
  if (before?.status === status && before.message === problem) return undefined;
  return {
    type: "PodScheduled",
    status,
    lastProbeTime: null,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime ?? now : now,
    ...(problem === undefined ? {} : { reason: "Unschedulable", message: problem }),
  };
}

function isSchedulable(pod: Pod): boolean {
  return !pod.spec.nodeName && pod.metadata.deletionTimestamp === undefined &&
    !isTerminated(pod) && (pod.spec.schedulerName ?? SCHEDULER) === SCHEDULER &&
    (pod.spec["schedulingGates"] ?? []).length === 0;
}

function refOf(pod: Pod) {
  const { namespace = "", name } = pod.metadata;
  return { resource: RESOURCES.pods, namespace, name };
}
