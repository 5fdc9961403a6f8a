import {
  apiVersionOf,
  dropNulls,
  type KubeObject,
  type ObjectMeta,
  type ResourceDef,
  setDefaults,
  validateObject,
} from "../../core/api/mod.ts";
import { AppError, errorText } from "../../core/base/mod.ts";
import { HASH_ANNOTATION, MANIFEST_ANNOTATION, SOURCE_ANNOTATION } from "./annotations.ts";
import { contentHash } from "./content_hash.ts";

/** Where a document comes from and what may become of it. */
export interface DocumentContext {
  readonly file: string;
  readonly nodeName: string;
  /** The kinds that somebody takes. */
  readonly resources: readonly ResourceDef[];
}

/** A document: an object, or the kind and name of one that nobody takes. */
export type Checked =
  | { readonly object: KubeObject; readonly resource: ResourceDef }
  | { readonly unhandled: string };

/** More would not be read. */
const PROBLEMS_SHOWN = 5;

/**
 * What a document of a manifest means to this node; the one place that says which are valid. An
 * absent apiVersion means `v1`, an absent namespace `default`, as for static pods of a kubelet.
 *
 * @throws {AppError} Invalid for a document that is no object, or not a valid one of its kind; the
 *   message names file, object and fields
 */
export function checkDocument(value: unknown, context: DocumentContext): Checked {
  const { file, nodeName, resources } = context;
  if (!isMap(value)) throw new AppError("Invalid", `${file}: a document is no object`);
  // What JSON cannot say could not be stored.
  const { apiVersion = "v1", kind, metadata, status: _, ...rest } = copy(value, file);
  if (typeof kind !== "string" || typeof apiVersion !== "string") {
    throw new AppError("Invalid", `${file}: kind and apiVersion must name a kind, e.g. kind: Pod`);
  }
  if (!isMap(metadata)) throw new AppError("Invalid", `${file}: ${kind} needs metadata.name`);
  const resource = resources.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
  if (!resource) return { unhandled: `${apiVersion} ${kind} ${metadata["name"]}` };
  const meta = userMeta(metadata);
  const hash = contentHash([nodeName, apiVersion, kind, meta, rest]);
  const object: KubeObject = { apiVersion, kind, metadata: meta, ...rest };
  if (resource.namespaced) meta.namespace ??= "default";
  setDefaults(resource, object);
  const problems = validateObject(resource, object);
  if (problems.length > 0) {
    const text = problems.slice(0, PROBLEMS_SHOWN).map((one) => `${one.field}: ${one.message}`);
    throw new AppError("Invalid", `${file}: ${kind} ${meta.name ?? ""}: ${text.join("; ")}`);
  }
  meta.annotations = {
    ...meta.annotations,
    [SOURCE_ANNOTATION]: "file",
    [HASH_ANNOTATION]: hash,
    [MANIFEST_ANNOTATION]: file,
  };
  return { object, resource };
}

/** What a person may say of an object; the rest (of `kubectl get -o yaml`, say) is the store's. */
function userMeta({ name, namespace, labels, annotations }: Record<string, unknown>): ObjectMeta {
  // The validation below says what is wrong with these.
  return {
    name: name as string,
    ...(namespace === undefined ? {} : { namespace: namespace as string }),
    ...(labels ? { labels: labels as Record<string, string> } : {}),
    ...(annotations ? { annotations: annotations as Record<string, string> } : {}),
  };
}

function copy(value: Record<string, unknown>, file: string): Record<string, unknown> {
  try {
    return dropNulls(JSON.parse(JSON.stringify(value)));
  } catch (cause) {
    throw new AppError("Invalid", `${file}: ${errorText(cause)}`, { cause });
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
