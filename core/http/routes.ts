import { groupResource, type ResourceDef } from "../api/mod.ts";
import { selectionOf, viewOf } from "./query.ts";
import { jsonResponse, listResponse, renderObject } from "./render.ts";
import type { Extensions, ExtraResource, ResourceContext } from "./types.ts";
import { createVerb } from "./verbs/create.ts";
import { deleteCollectionVerb, deleteVerb } from "./verbs/delete.ts";
import { getVerb } from "./verbs/get.ts";
import { listVerb } from "./verbs/list.ts";
import { patchVerb } from "./verbs/patch.ts";
import { bindPod, evictPod, finalizeNamespace } from "./verbs/pod_subresources.ts";
import {
  REVIEWS,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
} from "./verbs/reviews.ts";
import { getScale, patchScale, updateScale } from "./verbs/scale.ts";
import { updateVerb } from "./verbs/update.ts";
import { watchVerb } from "./verbs/watch.ts";

/** One verb on one resource or subresource. */
export interface ResourceRoute {
  readonly resource: ResourceDef;
  readonly subresource: string;
  /** Whether the path names one object. */
  readonly named: boolean;
  readonly method: string;
  /** What `authorize` is asked for. */
  readonly verb: string;
  /** Kind, group and version of what is answered, where they are not the resource's own. */
  readonly answers?: { readonly group: string; readonly version: string; readonly kind: string };
  /** Counts as a watch, not as a short request. */
  readonly longRunning?: boolean;
  handle(context: ResourceContext): Promise<Response> | Response;
}

type Handle = ResourceRoute["handle"];
type Row = readonly [method: string, verb: string, handle: Handle];

const SCALE = { group: "autoscaling", version: "v1", kind: "Scale" } as const;
const EVICTION = { group: "policy", version: "v1", kind: "Eviction" } as const;
const BINDING = { group: "", version: "v1", kind: "Binding" } as const;

/** Every route to resources: the verbs of each kind, its subresources, and what a side adds. */
export function resourceRoutes(
  resources: readonly ResourceDef[],
  extensions: Extensions,
): ResourceRoute[] {
  return [
    ...resources.flatMap(ownRoutes),
    ...reviewRoutes(),
    ...(extensions.subresources ?? []).flatMap((extra): ResourceRoute[] => {
      const resource = resources.find((one) => groupResource(one) === extra.resource);
      if (!resource) throw new TypeError(`Cannot add to ${extra.resource} as it is not served`);
      const answers = { group: "", version: "v1", kind: extra.kind };
      return Object.entries(extra.verbs).map(([method, verb]) => ({
        resource,
        subresource: extra.subresource,
        named: true,
        method,
        verb,
        answers,
        longRunning: extra.longRunning ?? false,
        handle: (context) => extra.handle(context),
      }));
    }),
    ...(extensions.resources ?? []).flatMap(extraRoutes),
  ];
}

/** What is made on demand is read whole: no watch, no pages. */
function extraRoutes(extra: ExtraResource): ResourceRoute[] {
  const { resource } = extra;
  const at = { resource, subresource: "", method: "GET" };
  return [{
    ...at,
    named: false,
    verb: "list",
    handle: async (context) => {
      const view = viewOf(context);
      const items = await extra.list(selectionOf(context), context);
      return listResponse(resource, { items, resourceVersion: "" }, view);
    },
  }, {
    ...at,
    named: true,
    verb: "get",
    handle: async (context) => {
      const view = viewOf(context);
      return jsonResponse(renderObject(resource, await extra.get(context), view));
    },
  }];
}

function ownRoutes(resource: ResourceDef): ResourceRoute[] {
  const at = (
    subresource: string,
    named: boolean,
    rows: readonly Row[],
    answers?: ResourceRoute["answers"],
  ): ResourceRoute[] =>
    rows.map(([method, verb, handle]) => ({
      resource,
      subresource,
      named,
      method,
      verb,
      handle,
      ...(answers ? { answers } : {}),
      ...(verb === "watch" ? { longRunning: true } : {}),
    }));
  const whole: Row[] = [
    ["GET", "get", getVerb],
    ["PUT", "update", updateVerb],
    ["PATCH", "patch", patchVerb],
  ];
  return [
    ...at("", false, [
      ["GET", "list", listVerb],
      ["GET", "watch", watchVerb],
      ["POST", "create", createVerb],
      ["DELETE", "deletecollection", deleteCollectionVerb],
    ]),
    ...at("", true, [...whole, ["DELETE", "delete", deleteVerb], ["GET", "watch", watchVerb]]),
    ...(resource.hasStatus ? at("status", true, whole) : []),
    ...(resource.scale ? at("scale", true, SCALE_ROWS, SCALE) : []),
    ...(groupResource(resource) === "pods"
      ? [
        ...at("binding", true, [["POST", "create", bindPod]], BINDING),
        ...at("eviction", true, [["POST", "create", evictPod]], EVICTION),
        // Each changes one part of the spec that an update of the pod may not (`admitChange`).
        ...at("ephemeralcontainers", true, whole),
        ...at("resize", true, whole),
      ]
      : []),
    ...(groupResource(resource) === "namespaces"
      ? at("finalize", true, [["PUT", "update", finalizeNamespace]])
      : []),
  ];
}

const SCALE_ROWS: readonly Row[] = [
  ["GET", "get", getScale],
  ["PUT", "update", updateScale],
  ["PATCH", "patch", patchScale],
];

function reviewRoutes(): ResourceRoute[] {
  const one = (resource: ResourceDef, handle: Handle): ResourceRoute => ({
    resource,
    subresource: "",
    named: false,
    method: "POST",
    verb: "create",
    handle,
  });
  return [
    one(REVIEWS.access, selfSubjectAccessReview),
    one(REVIEWS.rules, selfSubjectRulesReview),
    one(REVIEWS.self, selfSubjectReview),
  ];
}

/** The key under which a route is found. */
export function routeKey(
  route: Pick<ResourceRoute, "resource" | "subresource" | "named" | "method" | "verb">,
): string {
  const { resource: { group, version, plural }, subresource, named, method, verb } = route;
  const way = method === "GET" && verb === "watch" ? "WATCH" : method;
  return [group, version, plural, subresource, named ? "one" : "all", way].join(" ");
}
