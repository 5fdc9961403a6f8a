import { groupResource, type KubeObject, type ResourceDef, RESOURCES } from "../../core/api/mod.ts";
import { type Ms, type Service, toTime } from "../../core/base/mod.ts";
import { createController, keyOf, trigger, type View } from "../../core/control/mod.ts";
import type { GroupsContext } from "./context.ts";

/** The condition that says whether Skerry acts on an object. A word of the API. */
export const ACTED_ON = "skerry.dev/ActedOn";

/** Kinds of KubeEdge that are kept and not acted on. */
const IDLE: readonly ResourceDef[] = [
  RESOURCES.devicemodels,
  RESOURCES.devices,
  RESOURCES.devicestatuses,
  RESOURCES.rules,
  RESOURCES.ruleendpoints,
  RESOURCES.nodeupgradejobs,
  RESOURCES.imageprepulljobs,
  RESOURCES.configupdatejobs,
  RESOURCES.serviceaccountaccesses,
];
/** Kinds whose status must have a phase. */
const JOBS = "operations.kubeedge.io";

/** The object with a status that says that nobody acts on it; the same object when it says so. */
export function withIdleStatus(
  object: KubeObject,
  resource: ResourceDef,
  { now }: { readonly now: Ms },
): KubeObject {
  const status: Record<string, unknown> = isMap(object["status"]) ? object["status"] : {};
  const conditions: unknown[] = Array.isArray(status["conditions"]) ? status["conditions"] : [];
  if (conditions.some((one) => isMap(one) && one["type"] === ACTED_ON)) return object;
  const condition = {
    type: ACTED_ON,
    status: "False",
    reason: "NotActedOn",
    message: resource === RESOURCES.edgeapplications
      ? "this hub does not act on EdgeApplications: its option --applications is off"
      : `this version of Skerry keeps a ${resource.kind} and does not act on it yet`,
    lastTransitionTime: toTime(now),
  };
  return {
    ...object,
    status: {
      ...(resource.group === JOBS ? { phase: "Init" } : {}),
      ...status,
      conditions: [...conditions, condition],
    },
  };
}

/** Tells the owners of objects that nobody acts on them, so that no one waits in vain. */
export function createIdleKindsController(context: GroupsContext): Service {
  const { views, actor, clock, applications = true } = context;
  const idle = [...IDLE, ...(applications ? [] : [RESOURCES.edgeapplications])];
  const kinds = new Map<string, View>(
    idle.map((resource) => [groupResource(resource), views.of(resource)]),
  );
  return createController({
    ...context,
    name: "idle-kinds",
    triggers: [...kinds.values()].map((view) =>
      trigger(view, (object) => [`${groupResource(view.resource)} ${keyOf(object)}`])
    ),
    reconcile: async (key) => {
      const [kind = "", name = ""] = key.split(" ");
      const view = kinds.get(kind);
      const object = view?.get(name);
      if (!view || !object || object.metadata.deletionTimestamp !== undefined) return;
      const { resource } = view;
      const next = withIdleStatus(object, resource, { now: clock.now() });
      if (next === object) return;
      // Where the status is no subresource it is written as any field.
      await actor.run([{ do: resource.hasStatus ? "status" : "update", resource, object: next }]);
    },
  });
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
