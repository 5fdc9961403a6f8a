import {
  formatLabelSelector,
  getPath,
  type KubeObject,
  type LabelSelector,
  requirementsOf,
  setPath,
} from "../../api/mod.ts";
import { AppError } from "../../base/mod.ts";
import { readJson } from "../body.ts";
import { dryRunOf } from "../query.ts";
import { jsonResponse } from "../render.ts";
import type { ResourceContext } from "../types.ts";
import { admitChange } from "../write.ts";
import { refOf } from "./get.ts";
import { readPatch } from "./patch.ts";

/** GET of `scale`: the numbers of a workload as an `autoscaling/v1` Scale. */
export async function getScale(context: ResourceContext): Promise<Response> {
  return jsonResponse(scaleOf(context, await context.api.store.get(refOf(context))));
}

/** PUT of `scale`. */
export async function updateScale(context: ResourceContext): Promise<Response> {
  const body = await readJson(context.request, context.api.limits);
  if (!body) throw new AppError("BadRequest", "the body is empty: send a Scale");
  return await writeScale(context, () => body as KubeObject);
}

/** PATCH of `scale`. */
export async function patchScale(context: ResourceContext): Promise<Response> {
  return await writeScale(context, await readPatch(context));
}

async function writeScale(
  context: ResourceContext,
  change: (scale: KubeObject) => KubeObject,
): Promise<Response> {
  const dryRun = dryRunOf(context.url.searchParams);
  const made = await context.api.store.update(refOf(context), (current) => {
    const next = change(scaleOf(context, current));
    const replicas: unknown = next["spec"]?.replicas ?? 0;
    if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
      throw invalidReplicas(context.name, replicas);
    }
    const object = structuredClone(current);
    setPath(object, context.resource.scale?.spec ?? "spec.replicas", replicas);
    const version = next.metadata?.resourceVersion;
    if (version) object.metadata.resourceVersion = version;
    return admitChange(context, current, object);
  }, { dryRun });
  return jsonResponse(scaleOf(context, made));
}

function invalidReplicas(name: string, replicas: unknown): AppError {
  const message = `Invalid value: ${JSON.stringify(replicas)}: must be a whole number, 0 or more`;
  return new AppError("Invalid", `Scale "${name}" is invalid: spec.replicas: ${message}`, {
    causes: [{ field: "spec.replicas", message, reason: "FieldValueInvalid" }],
  });
}

function scaleOf({ resource }: ResourceContext, object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const paths = resource.scale;
  const number = (path: string | undefined, absent: number): number => {
    const value = path === undefined ? undefined : getPath(object, path);
    return typeof value === "number" ? value : absent;
  };
  const selector = paths === undefined ? undefined : getPath(object, paths.selector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: number(paths?.spec, 1) },
    status: { replicas: number(paths?.status, 0), selector: selectorText(selector) },
  };
}

function selectorText(selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "";
  return formatLabelSelector(requirementsOf(selector as LabelSelector));
}
