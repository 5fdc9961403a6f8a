import { jsonMergePatch, jsonPatch, type KubeObject, strategicMergePatch } from "../../api/mod.ts";
import { AppError } from "../../base/mod.ts";
import { mediaType, parseJson, readBody } from "../body.ts";
import { dryRunOf, viewOf } from "../query.ts";
import { jsonResponse, renderObject } from "../render.ts";
import type { ResourceContext } from "../types.ts";
import { admitChange, checkFieldsOf } from "../write.ts";
import { refOf } from "./get.ts";

/** Computes the patched form of a value; never changes its argument. */
export type Patch = (current: KubeObject) => KubeObject;

/** PATCH of one object or of its `status`: JSON patch, JSON merge patch, strategic merge patch. */
export async function patchVerb(context: ResourceContext): Promise<Response> {
  const { api, resource, url } = context;
  const dryRun = dryRunOf(url.searchParams);
  const patch = await readPatch(context);
  const status = context.attributes.subresource === "status";
  const check = await checkFieldsOf(context);
  const made = await api.store.update(
    refOf(context),
    (current) => {
      const next = patch(current);
      check(next);
      return admitChange(context, current, next);
    },
    { dryRun, ...(status ? { subresource: "status" } : {}) },
  );
  return jsonResponse(renderObject(resource, made, viewOf(context)));
}

/**
 * Reads the patch that a request carries.
 * @throws {AppError} UnsupportedMediaType for apply patches, and for strategic ones on kinds without merge keys
 */
export async function readPatch(context: ResourceContext): Promise<Patch> {
  const { api, request, resource } = context;
  const type = mediaType(request);
  const parse = async (): Promise<unknown> => {
    const text = await readBody(request, api.limits);
    if (text.trim() === "") throw new AppError("BadRequest", "the body is empty: send a patch");
    return parseJson(text, api.limits);
  };
  switch (type) {
    case "application/json-patch+json": {
      const operations = await parse();
      return (current) => jsonPatch(current, operations) as KubeObject;
    }
    case "application/merge-patch+json": {
      const patch = asObject(await parse());
      return (current) => jsonMergePatch(current, patch) as KubeObject;
    }
    case "application/strategic-merge-patch+json": {
      // Kubernetes itself refuses it for kinds that are not built in; clients then send a merge patch.
      if (resource.group.includes("skerry.dev")) break;
      const patch = asObject(await parse());
      return (current) => strategicMergePatch(current, patch, resource.kind) as KubeObject;
    }
  }
  throw unsupported(type, resource.group);
}

function asObject(patch: unknown): Record<string, unknown> {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) {
    throw new AppError("BadRequest", "a merge patch must be one JSON object");
  }
  return patch as Record<string, unknown>;
}

function unsupported(type: string, group: string): AppError {
  const taken = [
    "application/json-patch+json",
    "application/merge-patch+json",
    ...(group.includes("skerry.dev") ? [] : ["application/strategic-merge-patch+json"]),
  ];
  const hint = type.startsWith("application/apply-patch")
    ? " (server-side apply is not served: use kubectl apply without --server-side)"
    : "";
  return new AppError(
    "UnsupportedMediaType",
    "the body of the request was in an unknown format - accepted media types include: " +
      `${taken.join(", ")}${hint}`,
  );
}
