import type { Pod } from "../../core/api/mod.ts";
import { AppError, errorText, type Logger } from "../../core/base/mod.ts";
import { DEFAULT_LIMITS, type Handler, jsonResponse, readJson } from "../../core/http/mod.ts";
import { autonomousTolerations, type FindGroup } from "./autonomy.ts";

/** Where API servers send new pods to. */
export const WEBHOOK_PATH = "/mutate/pods";

/** What became of a pod that was asked about; `failed` ones were let in without a look. */
export type Reviewed = "changed" | "unchanged" | "failed";

/** Options of {@linkcode admissionHandler}. */
export interface AdmissionOptions {
  readonly find: FindGroup;
  readonly log: Logger;
  /** Told of every answer. */
  readonly onReview?: (result: Reviewed) => void;
}

/**
 * Answers AdmissionReviews (`admission.k8s.io/v1`) of new pods. It lets every pod in: what cannot be
 * read or looked up is let in as it is, so that this can never hold up a cluster.
 */
export function admissionHandler(options: AdmissionOptions): Handler {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== WEBHOOK_PATH) {
      throw new AppError("NotFound", `this port serves POST ${WEBHOOK_PATH}`);
    }
    const review = await readJson(request, DEFAULT_LIMITS);
    const uid: unknown = review?.["request"]?.uid;
    if (typeof uid !== "string") throw new AppError("BadRequest", "this is no AdmissionReview");
    const patch = await patchOf(review?.["request"]?.object, options);
    options.onReview?.(patch === "failed" ? patch : patch ? "changed" : "unchanged");
    return jsonResponse({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid,
        allowed: true,
        ...(Array.isArray(patch)
          ? {
            patchType: "JSONPatch",
            patch: new TextEncoder().encode(JSON.stringify(patch)).toBase64(),
          }
          : {}),
      },
    });
  };
}

async function patchOf(
  object: unknown,
  { find, log }: AdmissionOptions,
): Promise<readonly unknown[] | "failed" | undefined> {
  const pod = object as Pod | undefined;
  if (pod?.kind !== "Pod" || typeof pod.spec !== "object" || pod.spec === null) return undefined;
  try {
    const value = await autonomousTolerations(pod, find);
    return value && [{ op: "add", path: "/spec/tolerations", value }];
  } catch (error) {
    const { namespace, name, generateName } = pod.metadata;
    log.warn("a pod was let in without a look at its NodeGroup", {
      pod: `${namespace}/${name ?? generateName}`,
      error: errorText(error),
    });
    return "failed";
  }
}
