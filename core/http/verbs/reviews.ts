import type { ResourceDef } from "../../api/mod.ts";
import { AppError, toTime } from "../../base/mod.ts";
import { rulesOf } from "../authz.ts";
import { type JsonObject, readJson } from "../body.ts";
import { pathAttributes } from "../request_info.ts";
import { jsonResponse } from "../render.ts";
import type { Attributes, ResourceContext } from "../types.ts";

function review(group: string, plural: string, kind: string): ResourceDef {
  return {
    group,
    version: "v1",
    plural,
    kind,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: false,
    hasStatus: false,
  };
}

/** The questions that users may ask about themselves; nothing of them is stored. */
export const REVIEWS = {
  access: review(
    "authorization.k8s.io",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
  ),
  rules: review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
  self: review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
} as const;

/** `kubectl auth can-i VERB RESOURCE`. */
export async function selfSubjectAccessReview(context: ResourceContext): Promise<Response> {
  const body = await bodyOf(context);
  const { allowed, reason } = await context.api.authorize(context.user, askedFor(body));
  return answer(body, { allowed, ...(reason === "" ? {} : { reason }) });
}

/** `kubectl auth can-i --list`. */
export async function selfSubjectRulesReview(context: ResourceContext): Promise<Response> {
  const body = await bodyOf(context);
  return answer(body, { ...rulesOf(context.user, context.api.resources) });
}

/** `kubectl auth whoami`. */
export async function selfSubjectReview(context: ResourceContext): Promise<Response> {
  const body = await bodyOf(context);
  const { name, groups, uid, extra } = context.user;
  const userInfo = { username: name, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
  const metadata = { creationTimestamp: toTime(context.api.clock.now()) };
  return answer({ ...body, metadata }, { userInfo });
}

async function bodyOf({ request, api, resource }: ResourceContext): Promise<JsonObject> {
  const body = await readJson(request, api.limits);
  if (!body) throw new AppError("BadRequest", `the body is empty: send a ${resource.kind}`);
  return { kind: resource.kind, apiVersion: `${resource.group}/${resource.version}`, ...body };
}

function answer(review: JsonObject, status: JsonObject): Response {
  return jsonResponse({ ...review, status }, 201);
}

function askedFor(body: JsonObject): Attributes {
  const path = body["spec"]?.nonResourceAttributes;
  if (path) return { ...pathAttributes("", text(path.path)), verb: text(path.verb) };
  const asked = body["spec"]?.resourceAttributes;
  if (!asked) {
    throw new AppError(
      "Invalid",
      'SelfSubjectAccessReview "" is invalid: spec.resourceAttributes: Required value',
    );
  }
  return {
    verb: text(asked.verb),
    group: text(asked.group),
    version: text(asked.version),
    resource: text(asked.resource),
    subresource: text(asked.subresource),
    namespace: text(asked.namespace),
    name: text(asked.name),
    path: "",
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
