import { parseAllDocuments } from "yaml";
import type { Pod } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import { SOURCE_ANNOTATION } from "./options.ts";
import { isPathPart } from "./paths.ts";

/** Annotation of a static pod: the file that it came from. */
export const MANIFEST_ANNOTATION = "skerry.dev/manifest";
/** Annotation of a static pod: the hash that is its UID, as the kubelet has it. */
export const HASH_ANNOTATION = "kubernetes.io/config.hash";

/**
 * The pods of one manifest (YAML with any number of documents, or JSON), as this node runs them:
 * name with the node's name behind it, UID from the content. Documents of other kinds are left to
 * others.
 *
 * @throws {AppError} Invalid when it cannot be read or a pod is not one; the message says why
 */
export async function parseManifest(
  text: string,
  from: { readonly file: string; readonly nodeName: string },
): Promise<Pod[]> {
  const pods: Pod[] = [];
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error) throw new AppError("Invalid", `${from.file}: ${error.message}`);
    const value: unknown = document.toJS();
    if (isKind(value, "Pod")) pods.push(await staticPod(value as Partial<Pod>, from));
  }
  return pods;
}

function isKind(value: unknown, kind: string): boolean {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === kind;
}

async function staticPod(
  pod: Partial<Pod>,
  from: { readonly file: string; readonly nodeName: string },
): Promise<Pod> {
  const { metadata, spec } = pod;
  const namespace = metadata?.namespace ?? "default";
  const name = `${metadata?.name}-${from.nodeName}`;
  const bad = !metadata?.name || !isPathPart(name) || !isPathPart(namespace)
    ? "metadata.name: must be a DNS name"
    : !Array.isArray(spec?.containers) || spec.containers.length === 0
    ? "spec.containers: must have at least one container"
    : spec.containers.find((one) => !one?.image || !isPathPart(one.name))
    ? "spec.containers: each needs a name and an image"
    : undefined;
  if (bad || !metadata || !spec) throw new AppError("Invalid", `${from.file}: ${bad}`);
  const uid = await contentHash([from.nodeName, namespace, name, metadata, spec]);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      name,
      namespace,
      uid,
      generation: 1,
      annotations: {
        ...metadata.annotations,
        [SOURCE_ANNOTATION]: "file",
        [HASH_ANNOTATION]: uid,
        [MANIFEST_ANNOTATION]: from.file,
      },
    },
    spec: { ...spec, nodeName: from.nodeName },
  };
}

/** 32 hex digits that follow from the content alone. */
async function contentHash(content: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex().slice(0, 32);
}
