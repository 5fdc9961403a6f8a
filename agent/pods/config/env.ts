import type { Container, Pod } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import { expandVariables } from "./expand.ts";
import { type DownwardFacts, fieldValue, resourceFieldValue } from "./field_ref.ts";
import type { ConfigData, PodObjects } from "../policy/plan.ts";

type EnvVar = NonNullable<Container["env"]>[number];

/**
 * The environment of a container in order: `envFrom` first, then `env`, later ones winning, with
 * `$(NAME)` replaced by what stands before it.
 *
 * @throws {AppError} NotFound for a configMap, secret or key that is missing and not optional,
 *   Unsupported for a field that cannot be shown
 */
export function resolveEnv(
  pod: Pod,
  container: Container,
  objects: PodObjects,
  facts: DownwardFacts,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const ref = source.configMapRef ?? source.secretRef;
    if (!ref) continue;
    const kind = source.configMapRef ? "configmap" : "secret";
    const found = find(objects, kind, ref.name);
    if (!found) {
      if (ref.optional) continue;
      throw missing(kind, ref.name);
    }
    for (const [key, value] of Object.entries(textOf(found))) {
      values.set(`${source.prefix ?? ""}${key}`, value);
    }
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, values, { pod, container, objects, facts });
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

interface Scope {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
}

function variableValue(
  variable: EnvVar,
  before: ReadonlyMap<string, string>,
  scope: Scope,
): string | undefined {
  const from = variable.valueFrom;
  if (!from) return expandVariables(variable.value ?? "", before);
  if (from.fieldRef) return fieldValue(scope.pod, from.fieldRef.fieldPath, scope.facts);
  if (from.resourceFieldRef) {
    return resourceFieldValue(scope.pod, scope.container, from.resourceFieldRef, scope.facts);
  }
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return "";
  const kind = from.configMapKeyRef ? "configmap" : "secret";
  const found = find(scope.objects, kind, ref.name);
  const value = found && textOf(found)[ref.key];
  if (value !== undefined) return value;
  if (ref.optional) return undefined;
  if (!found) throw missing(kind, ref.name);
  throw new AppError(
    "NotFound",
    `couldn't find key ${ref.key} in ${kind === "configmap" ? "ConfigMap" : "Secret"} ${
      scope.pod.metadata.namespace ?? "default"
    }/${ref.name}`,
  );
}

function find(
  objects: PodObjects,
  kind: "configmap" | "secret",
  name: string,
): ConfigData | undefined {
  const all = kind === "configmap" ? objects.configMaps : objects.secrets;
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

function missing(kind: string, name: string): AppError {
  return new AppError("NotFound", `${kind} "${name}" not found`);
}

/** All values as text; a secret's bytes are read as UTF-8, as an environment must be text. */
function textOf(config: ConfigData): Record<string, string> {
  const out: Record<string, string> = { ...config.data };
  for (const [key, value] of Object.entries(config.binary)) {
    out[key] = new TextDecoder().decode(decodeBase64(value));
  }
  return out;
}

/**
 * The bytes of a base64 text.
 *
 * @throws {AppError} Invalid when it is none
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new AppError("Invalid", "A value of a secret or configMap is not base64", { cause });
  }
}
