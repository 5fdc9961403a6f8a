import type { KubeObject } from "../../api/mod.ts";
import { AppError, toTime } from "../../base/mod.ts";
import { readJson } from "../body.ts";
import { dryRunOf } from "../query.ts";
import { jsonResponse } from "../render.ts";
import type { ResourceContext } from "../types.ts";
import { deleteOptionsOf } from "./delete.ts";
import { refOf } from "./get.ts";

/** POST of `pods/binding`: gives a pod to a node, once. */
export async function bindPod(context: ResourceContext): Promise<Response> {
  const { api, request, url } = context;
  const body = await readJson(request, api.limits) ?? {};
  const node: unknown = body["target"]?.name;
  if (typeof node !== "string" || node === "") {
    const causes = [{
      field: "target.name",
      message: "Required value",
      reason: "FieldValueRequired",
    }];
    throw new AppError(
      "Invalid",
      `Binding "${context.name}" is invalid: target.name: Required value`,
      {
        causes,
      },
    );
  }
  const options = { dryRun: dryRunOf(url.searchParams) };
  await api.store.update(refOf(context), (pod) => bound(pod, node), options);
  await api.store.update(refOf(context), (pod) => scheduled(pod, toTime(api.clock.now())), {
    ...options,
    subresource: "status",
  });
  return jsonResponse(success(), 201);
}

function bound(pod: KubeObject, node: string): KubeObject {
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw new AppError(
      "Conflict",
      `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`,
    );
  }
  if (pod["spec"]?.nodeName && pod["spec"].nodeName !== node) {
    throw new AppError(
      "Conflict",
      `pod ${pod.metadata.name} is already assigned to node "${pod["spec"].nodeName}"`,
    );
  }
  return { ...pod, spec: { ...pod["spec"], nodeName: node } };
}

function scheduled(pod: KubeObject, now: string): KubeObject {
  const others = (pod["status"]?.conditions ?? []).filter(
    (condition: { type: string }) => condition.type !== "PodScheduled",
  );
  const condition = { type: "PodScheduled", status: "True", lastTransitionTime: now };
  return {
    ...pod,
    status: { phase: "Pending", ...pod["status"], conditions: [...others, condition] },
  };
}

/** POST of `pods/eviction` (policy/v1): a deletion; no disruption budgets are served yet. */
export async function evictPod(context: ResourceContext): Promise<Response> {
  const { api, request, url } = context;
  const body = await readJson(request, api.limits) ?? {};
  const options = deleteOptionsOf(body["deleteOptions"] ?? {}, url.searchParams);
  await api.store.delete(refOf(context), options);
  return jsonResponse(success(), 201);
}

function success(): Record<string, unknown> {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

/** PUT of `namespaces/finalize`: takes `spec.finalizers` and nothing else from the body. */
export async function finalizeNamespace(context: ResourceContext): Promise<Response> {
  const { api, request, url } = context;
  const body = await readJson(request, api.limits) ?? {};
  const finalizers: unknown = body["spec"]?.finalizers ?? [];
  if (!Array.isArray(finalizers)) {
    throw new AppError("BadRequest", "spec.finalizers: must be a list");
  }
  const made = await api.store.update(
    refOf(context),
    (current) => ({ ...current, spec: { ...current["spec"], finalizers } }),
    { dryRun: dryRunOf(url.searchParams) },
  );
  return jsonResponse(made);
}
