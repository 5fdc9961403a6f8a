import {
  apiVersionOf,
  dropNulls,
  type EdgeApplication,
  invalidObject,
  type KubeObject,
  type ResourceDef,
  resourceOfKind,
  setDefaults,
  validateObject,
} from "../../core/api/mod.ts";
import { type Clock, errorText, isAppError, type Logger } from "../../core/base/mod.ts";
import { type Actor, keyOf } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { howItEnded, notReady, type Outcome } from "./application_status.ts";
import { type ChildPlan, planChild } from "./child.ts";
import { Children } from "./children.ts";
import type { HeldKinds } from "./held_kinds.ts";
import type { Problem, Rendered } from "./render.ts";
import { type Finished, finishedBy, finishedIn, untilRemembered } from "./runs.ts";
import { Settled } from "./settled.ts";

/** What an {@linkcode Applier} works with. */
export interface ApplierParts {
  readonly store: Store;
  readonly actor: Actor;
  readonly held: HeldKinds;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether there is a NodeGroup of that name. */
  readonly hasGroup: (name: string) => boolean;
}

/** Makes single objects of applications as they are wanted, and says how they stand. */
export class Applier {
  readonly #parts: ApplierParts;
  readonly #children: Children;
  readonly #settled: Settled;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    this.#children = new Children(parts);
    this.#settled = new Settled(parts);
    parts.held.subscribe(({ object, before }) => {
      if (!object && before) this.#settled.forget(before);
    });
  }

  /** Makes one object as wanted. @throws {AppError} what trying again may mend */
  async apply(app: EdgeApplication, rendered: Rendered): Promise<Outcome> {
    const { object, resource, problem } = rendered;
    if (!object || !resource) return { rendered, ...(problem ? { problem } : {}) };
    const finished = finishedIn(app, rendered);
    try {
      const want = untilRemembered(normal(resource, object), finished);
      const live = await this.#children.read(resource, keyOf(want));
      // It has run, and was removed when its time was over: that is as wanted.
      if (!live && finished) return { rendered, finished, ...howItEnded(finished) };
      const plan = planChild(want, live);
      if (plan.do === "leave") {
        return { rendered, problem: { reason: "Taken", message: plan.why } };
      }
      if (plan.do === "remake" && live) return await this.#remake(resource, live, rendered);
      const now = await this.#make(resource, { plan, want, live }) ?? want;
      return this.#standing(rendered, now, finished);
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) throw error;
      return { rendered, problem: refusal, ...(finished ? { finished } : {}) };
    }
  }

  /** Carries out what is planned. Returns the object as it is then. @throws {AppError} */
  async #make(
    resource: ResourceDef,
    { plan, want, live }: {
      readonly plan: ChildPlan;
      readonly want: KubeObject;
      readonly live: KubeObject | undefined;
    },
  ): Promise<KubeObject | undefined> {
    if (plan.do !== "create" && plan.do !== "update") return live;
    if (live && this.#settled.has(live, plan.object)) return live;
    const ready = admit(resource, plan.object, live);
    this.#parts.log.info("object of an application is written", {
      do: plan.do,
      kind: want.kind,
      name: keyOf(want),
    });
    const answer = await this.#children.write(resource, plan.do, ready);
    const next = planChild(want, answer);
    this.#settled.learn(answer, next.do === "update" ? next.object : undefined);
    return answer;
  }

  async #remake(resource: ResourceDef, live: KubeObject, rendered: Rendered): Promise<Outcome> {
    const { actor, held, log } = this.#parts;
    const { kind } = live;
    log.info("object of an application has ended and is made anew", { kind, name: keyOf(live) });
    await actor.run([{
      do: "delete",
      // The answer goes into the view.
      resource: held.view(resource)?.resource ?? resource,
      object: live,
      options: { propagationPolicy: "Background" },
    }]);
    const message = "it has ended, and its manifest is another now: it is made anew";
    return { rendered, problem: { reason: "Progressing", message } };
  }

  #standing(rendered: Rendered, now: KubeObject, before: Finished | undefined): Outcome {
    const finished = before ?? finishedBy(now, { now: this.#parts.clock.now() });
    const rest = finished ? { finished } : {};
    const waiting = notReady(now);
    if (!waiting) return { rendered, ...rest };
    const { group } = rendered;
    const lost = !finished && group !== undefined && !this.#parts.hasGroup(group)
      ? `, and there is no NodeGroup ${group} to run them`
      : "";
    return { rendered, ...rest, problem: { ...waiting, message: `${waiting.message}${lost}` } };
  }
}

/** Folds what the API never stores as it was sent. */
function normal(resource: ResourceDef, object: KubeObject): KubeObject {
  if (resource.kind !== "Secret") return object;
  const copy = structuredClone(object);
  setDefaults(resource, copy);
  return copy;
}

/** What the API does to an object that a client sends. @throws {AppError} Invalid, BadRequest */
function admit(resource: ResourceDef, object: KubeObject, live?: KubeObject): KubeObject {
  const known = resourceOfKind(apiVersionOf(resource), resource.kind) === resource;
  // What null means in other kinds their API server knows.
  const copy = known ? dropNulls(object) : structuredClone(object);
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
