import {
  type EdgeApplication,
  type KubeObject,
  type NodeGroup,
  type ResourceDef,
  RESOURCES,
} from "../../core/api/mod.ts";
import { type Ms, seconds, type Service } from "../../core/base/mod.ts";
import {
  controllerOf,
  createController,
  jsonEqual,
  keyOf,
  trigger,
} from "../../core/control/mod.ts";
import { applicationStatus, type Outcome } from "./application_status.ts";
import { Applier } from "./applier.ts";
import type { GroupsContext } from "./context.ts";
import { HeldKinds } from "./held_kinds.ts";
import {
  identityOf,
  type KindLookup,
  mayHaveMade,
  type Problem,
  renderApplication,
  type Rendered,
} from "./render.ts";

/** When something stands in the way that no trigger tells of, it is tried again after this time. */
const AGAIN = seconds(30);
const STUCK = new Set<Problem["reason"]>(["Taken", "Refused", "KindNotServed"]);

/** Keeps the objects of every EdgeApplication as its manifests, groups and overriders say. */
export function createApplicationController(context: GroupsContext): Service {
  const { views, actor, log, clock } = context;
  const apps = views.of<EdgeApplication>(RESOURCES.edgeapplications);
  const groups = views.of<NodeGroup>(RESOURCES.nodegroups);
  const held = new HeldKinds(context);
  const applier = new Applier({
    ...context,
    held,
    hasGroup: (name) => groups.get(name) !== undefined,
  });
  let warned = false;
  return createController({
    ...context,
    name: "edge-applications",
    triggers: [
      trigger(apps, (app) => [keyOf(app)]),
      trigger(
        groups,
        ({ metadata }) =>
          apps.all().filter((app) => groupsOf(app).includes(metadata.name)).map(keyOf),
      ),
      {
        view: held,
        keys: (object) => {
          const owner = controllerOf(object);
          if (owner?.kind !== "EdgeApplication") return [];
          return [`${object.metadata.namespace}/${owner.name}`];
        },
      },
    ],
    reconcile: async (key, signal): Promise<Ms | void> => {
      const app = apps.get(key);
      // The garbage collector takes down what it owns.
      if (!app || app.metadata.deletionTimestamp !== undefined) return;
      const unseen = await unseenOf(app, held, signal);
      const rendered = renderApplication(app, await kindsOf(app, held, signal));
      const outcomes: Outcome[] = [];
      for (const one of rendered) outcomes.push(await applier.apply(app, one));
      await removeOthers(app, rendered);
      // What cannot be removed yet must not be forgotten.
      const wanted = new Set(rendered.map(identityOf));
      outcomes.push(...unseen.filter((one) => !wanted.has(identityOf(one.rendered))));
      const status = applicationStatus(app, outcomes, { now: clock.now() });
      if (!jsonEqual(status, app.status)) {
        const object = { ...app, status };
        await actor.run([{ do: "status", resource: RESOURCES.edgeapplications, object }]);
        if (status.finished && !apps.get(key)?.status?.finished) warnOfSchema();
      }
      if (outcomes.some(({ problem }) => problem && STUCK.has(problem.reason))) return AGAIN;
    },
  });

  /** Jobs are kept then, for what is not remembered would run again. */
  function warnOfSchema(): void {
    if (warned) return;
    warned = true;
    log.warn("the API server drops status.finished of EdgeApplications: apply this version's CRDs");
  }

  /** Removes what the application made and does not want any more. */
  async function removeOthers(app: EdgeApplication, rendered: readonly Rendered[]): Promise<void> {
    const wanted = new Set(rendered.map(identityOf));
    for (const view of held.views()) {
      for (const object of view.by("owner", app.metadata.uid ?? "")) {
        const { apiVersion, kind, metadata } = object;
        const one = { apiVersion, kind, name: metadata.name };
        if (wanted.has(identityOf(one))) continue;
        if (rendered.some((other) => mayHaveMade(other, one))) continue;
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

/**
 * Has the kinds watched of which an application had objects when its status was written: what of them
 * it does not want any more must be seen to be removed. Returns the objects that cannot be seen.
 */
async function unseenOf(
  app: EdgeApplication,
  held: HeldKinds,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const unseen: Outcome[] = [];
  for (const { identifier } of app.status?.workloadStatus ?? []) {
    const { ordinal, group = "", version = "", kind = "", name = "" } = identifier ?? {};
    if (version === "" || kind === "") continue;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    const problem = await held.hold(apiVersion, kind, signal);
    // Without a right to the kind there was none either, unless it was taken away.
    if (!problem || problem.reason === "Refused") continue;
    const message = `it is wanted no more, and cannot be removed: ${problem.message}`;
    const rendered = { ordinal, apiVersion, kind, name };
    const { reason } = problem;
    unseen.push({ rendered, problem: { reason, message } });
  }
  return unseen;
}

/** Finds the kinds of an application's manifests. */
async function kindsOf(
  app: EdgeApplication,
  held: HeldKinds,
  signal: AbortSignal,
): Promise<KindLookup> {
  const found = new Map<string, ResourceDef | Problem>();
  const manifests: readonly Partial<KubeObject>[] = app.spec?.workloadTemplate?.manifests ?? [];
  for (const one of manifests) {
    const { apiVersion, kind } = one ?? {};
    if (typeof apiVersion !== "string" || typeof kind !== "string" || !apiVersion || !kind) {
      continue;
    }
    const key = `${apiVersion} ${kind}`;
    if (!found.has(key)) found.set(key, await held.find(apiVersion, kind, signal));
  }
  return (apiVersion, kind) =>
    found.get(`${apiVersion} ${kind}`) ??
      { reason: "KindNotServed", message: `${kind} of ${apiVersion} is not known` };
}

/** The groups that an application names. */
function groupsOf({ spec }: EdgeApplication): (string | undefined)[] {
  return (spec?.workloadScope?.targetNodeGroups ?? []).map(({ name }) => name);
}
