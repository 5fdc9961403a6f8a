import type { z } from "zod";
import type { KubeObject } from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import { SYSTEM_NAMESPACE } from "./system.ts";

/** The one key of `data` under which a Secret of this room carries its JSON record. */
const KEY = "record";

/** Makes the Secret that carries `record`. */
export function recordSecret(
  options: { name: string; type: string; labels: Record<string, string>; record: unknown },
): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: options.name, namespace: SYSTEM_NAMESPACE, labels: options.labels },
    type: options.type,
    data: encodeRecord(options.record),
  };
}

/** The `data` of a Secret that carries `record`. */
export function encodeRecord(record: unknown): Record<string, string> {
  return { [KEY]: new TextEncoder().encode(JSON.stringify(record)).toBase64() };
}

/**
 * Reads the record of a Secret.
 *
 * @param remedy what a person does after deleting a Secret that cannot be read
 * @throws {AppError} InternalError when somebody changed it into something unreadable
 */
export function decodeRecord<T>(schema: z.ZodType<T>, secret: KubeObject, remedy: string): T {
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(secret.data?.[KEY] ?? ""));
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const { namespace, name } = secret.metadata;
    throw new AppError(
      "InternalError",
      `secret ${namespace}/${name} cannot be read any more: delete it (kubectl -n ${namespace} ` +
        `delete secret ${name}), then ${remedy}`,
      { cause },
    );
  }
}
