import type { Container, Pod, Service } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import { expandVariables, type Variables } from "./expand.ts";
import { type DownwardFacts, fieldValue, resourceFieldValue } from "./field_ref.ts";
import { serviceEnv } from "./service_env.ts";
import type { ConfigData, PodObjects } from "../policy/plan.ts";

type EnvVar = NonNullable<Container["env"]>[number];

/** What an environment is made of. */
export interface EnvInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
  /** Those of the pod's namespace, and Kubernetes' own. @default {none} */
  readonly services?: readonly Service[];
}

/**
 * The environment of a container in order: `envFrom` first, then `env`, later ones winning, with
 * `$(NAME)` replaced by what stands before it or tells of a Service; then the Services' variables
 * that nothing has set. Every key is the name of a variable, as with a kubelet since 1.34: a program
 * that cannot read it, like most shells, does without.
 *
 * @throws {AppError} NotFound for a configMap, secret or key that is missing and not optional,
 *   Unsupported for a field that cannot be shown
 */
export function resolveEnv(input: EnvInput): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const source of input.container.envFrom ?? []) addAll(values, source, input.objects);
  const services = serviceEnv(input.pod, input.services ?? []);
  const before = { get: (name: string) => values.get(name) ?? services.get(name) };
  for (const variable of input.container.env ?? []) {
    const value = variableValue(variable, before, input);
    if (value !== undefined) values.set(variable.name, value);
  }
  for (const [name, value] of services) if (!values.has(name)) values.set(name, value);
  return values;
}

/** Adds every key of a configMap or secret. */
function addAll(
  values: Map<string, string>,
  source: NonNullable<Container["envFrom"]>[number],
  objects: PodObjects,
): void {
  const ref = source.configMapRef ?? source.secretRef;
  if (!ref) return;
  const kind = source.configMapRef ? "configmap" : "secret";
  const found = find(objects, kind, ref.name);
  if (!found) {
    if (ref.optional) return;
    throw missing(kind, ref.name);
  }
  for (const [key, value] of Object.entries(textOf(found, kind))) {
    values.set(`${source.prefix ?? ""}${key}`, value);
  }
}

function variableValue(
  variable: EnvVar,
  before: Variables,
  { pod, container, objects, facts }: EnvInput,
): string | undefined {
  const from = variable.valueFrom;
  if (variable.value || !from) return expandVariables(variable.value ?? "", before);
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, facts);
  if (from.resourceFieldRef) {
    return resourceFieldValue(pod, container, from.resourceFieldRef, facts);
  }
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return "";
  const kind = from.configMapKeyRef ? "configmap" : "secret";
  const found = find(objects, kind, ref.name);
  const value = found && valueOf(found, ref.key, kind);
  if (value !== undefined) return value;
  if (ref.optional) return undefined;
  if (!found) throw missing(kind, ref.name);
  throw new AppError(
    "NotFound",
    `couldn't find key ${ref.key} in ${kind === "configmap" ? "ConfigMap" : "Secret"} ${
      pod.metadata.namespace ?? "default"
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

/**
 * All values as text; a secret's bytes are read as UTF-8, as an environment must be text. The
 * `binaryData` of a configMap is for files only.
 */
function textOf(config: ConfigData, kind: "configmap" | "secret"): Record<string, string> {
  const out: Record<string, string> = { ...config.data };
  if (kind === "configmap") return out;
  for (const [key, value] of Object.entries(config.binary)) out[key] = decodeText(value);
  return out;
}

function valueOf(
  config: ConfigData,
  key: string,
  kind: "configmap" | "secret",
): string | undefined {
  if (Object.hasOwn(config.data, key)) return config.data[key];
  if (kind === "configmap") return undefined;
  const binary = Object.hasOwn(config.binary, key) ? config.binary[key] : undefined;
  return binary === undefined ? undefined : decodeText(binary);
}

function decodeText(base64: string): string {
  return new TextDecoder().decode(decodeBase64(base64));
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
