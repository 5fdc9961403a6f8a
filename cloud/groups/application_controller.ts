import {
  type EdgeApplication,
  groupResource,
  invalidObject,
  type KubeObject,
  RESOURCE_LIST,
  type ResourceDef,
  RESOURCES,
  setDefaults,
  validateObject,
} from "../../core/api/mod.ts";
import { errorText, isAppError, type Ms, seconds, type Service } from "../../core/base/mod.ts";
import {
  controllerOf,
  createController,
  jsonEqual,
  keyOf,
  trigger,
  type View,
} from "../../core/control/mod.ts";
import { applicationStatus, notReady, type Outcome } from "./application_status.ts";
import { planChild } from "./child.ts";
import type { GroupsContext } from "./context.ts";
import { type Problem, renderApplication, type Rendered } from "./render.ts";

/** What no application may hold: written by others all the time, or applications themselves. */
const NEVER = new Set([
  "events",
  "leases.coordination.k8s.io",
  "endpointslices.discovery.k8s.io",
  "edgeapplications.apps.kubeedge.io",
]);
/** When something stands in the way that no trigger tells of, it is tried again after this time. */
const AGAIN = seconds(30);

/** Whether an application may hold objects of a kind. */
export function isHeldByApplications(resource: ResourceDef): boolean {
  return resource.namespaced && !NEVER.has(groupResource(resource));
}

/** Keeps the objects of every EdgeApplication as its manifests, groups and overriders say. */
export function createApplicationController(context: GroupsContext): Service {
  const { views, actor, log, clock } = context;
  const apps = views.of<EdgeApplication>(RESOURCES.edgeapplications);
  const children = new Map<string, View>(
    RESOURCE_LIST
      .filter(isHeldByApplications)
      .map((resource) => [groupResource(resource), views.of(resource)]),
  );
  const holds = (resource: ResourceDef): boolean => children.has(groupResource(resource));
  return createController({
    ...context,
    name: "edge-applications",
    triggers: [
      trigger(apps, (app) => [keyOf(app)]),
      ...[...children.values()].map((view) =>
        trigger(view, (object) => {
          const owner = controllerOf(object);
          if (owner?.kind !== "EdgeApplication") return [];
          return [`${object.metadata.namespace}/${owner.name}`];
        })
      ),
    ],
    reconcile: async (key): Promise<Ms | void> => {
      const app = apps.get(key);
      // The garbage collector takes down what it owns.
      if (!app || app.metadata.deletionTimestamp !== undefined) return;
      const rendered = renderApplication(app, holds);
      const outcomes: Outcome[] = [];
      for (const one of rendered) outcomes.push(await apply(one));
      await removeOthers(app, rendered);
      const status = applicationStatus(app, outcomes, { now: clock.now() });
      if (!jsonEqual(status, app.status)) {
        const object = { ...app, status };
        await actor.run([{ do: "status", resource: RESOURCES.edgeapplications, object }]);
      }
      if (outcomes.some(({ problem }) => problem && STUCK.has(problem.reason))) return AGAIN;
    },
  });

  /** Makes one object as wanted. @throws {AppError} what trying again may mend */
  async function apply(rendered: Rendered): Promise<Outcome> {
    const { object, resource, problem } = rendered;
    if (!object || !resource) return { rendered, ...(problem ? { problem } : {}) };
    const view = children.get(groupResource(resource));
    const want = normal(resource, object);
    const live = view?.get(keyOf(want));
    const plan = planChild(want, live);
    if (plan.do === "leave") {
      return { rendered, problem: { reason: "Taken", message: plan.why } };
    }
    try {
      if (plan.do !== "nothing") {
        const ready = admit(resource, plan.object, live);
        log.info("object of an application is written", {
          do: plan.do,
          kind: want.kind,
          name: keyOf(want),
        });
        await actor.run([{ do: plan.do, resource, object: ready }]);
      }
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) throw error;
      return { rendered, problem: refusal };
    }
    const now = view?.get(keyOf(want)) ?? want;
    const waiting = notReady(now);
    return { rendered, ...(waiting ? { problem: waiting } : {}) };
  }

  /** Removes what the application made and does not want any more. */
  async function removeOthers(app: EdgeApplication, rendered: readonly Rendered[]): Promise<void> {
    // A manifest that cannot be read may have made any of them.
    if (rendered.some(({ name }) => name === "")) return;
    const wanted = new Set(rendered.map(({ kind, name }) => `${kind} ${name}`));
    // Nor is it known what one that cannot be rendered would have kept.
    const spoilt = new Set(
      rendered.flatMap(({ kind, problem }) => problem && SPOILS.has(problem.reason) ? [kind] : []),
    );
    for (const view of children.values()) {
      for (const object of view.by("owner", app.metadata.uid ?? "")) {
        const { kind, metadata } = object;
        if (wanted.has(`${kind} ${metadata.name}`) || spoilt.has(kind)) continue;
        if (metadata.deletionTimestamp !== undefined) continue;
        log.info("object of an application is removed", { kind, name: keyOf(object) });
        await actor.run([{
          do: "delete",
          resource: view.resource,
          object,
          options: { propagationPolicy: "Background" },
        }]);
      }
    }
  }
}

const STUCK = new Set<Problem["reason"]>(["Taken", "Refused"]);
const SPOILS = new Set<Problem["reason"]>(["InvalidManifest", "KindNotServed", "OverrideFailed"]);

/** Folds what the API never stores as it was sent. */
function normal(resource: ResourceDef, object: KubeObject): KubeObject {
  if (resource.kind !== "Secret") return object;
  const copy = structuredClone(object);
  setDefaults(resource, copy);
  return copy;
}

/** What the API does to an object that a client sends. @throws {AppError} Invalid */
function admit(resource: ResourceDef, object: KubeObject, live?: KubeObject): KubeObject {
  const copy = structuredClone(object);
  setDefaults(resource, copy, live);
  const problems = validateObject(resource, copy, live);
  if (problems.length > 0) throw invalidObject(resource, copy.metadata.name, problems);
  return copy;
}

/** The problem that an error is, when trying again soon would not mend it. */
function refusalOf(error: unknown): Problem | undefined {
  if (isAppError(error, "AlreadyExists")) return { reason: "Taken", message: errorText(error) };
  if (isAppError(error, "Invalid", "Forbidden", "BadRequest", "NotFound")) {
    return { reason: "Refused", message: errorText(error) };
  }
  return undefined;
}
