import type { KeyToPath, Pod, Volume } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import type { Payload, VolumeFile } from "./volume_file.ts";
import { decodeBase64 } from "../config/env.ts";
import { type DownwardFacts, fieldValue, resourceFieldValue } from "../config/field_ref.ts";
import { fsGroup, fsUser } from "./ownership.ts";
import type { ConfigData, PodObjects } from "../policy/plan.ts";
import { tokenKey, tokenSource } from "../pod_tokens.ts";

interface Scope {
  readonly pod: Pod;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
}

interface DownwardItem {
  path: string;
  mode?: number;
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
}

/** One source of files, as a volume or as a part of a projected one. */
interface Source {
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean };
  secret?: { secretName?: string; name?: string; items?: KeyToPath[]; optional?: boolean };
  downwardAPI?: { items?: DownwardItem[] };
  serviceAccountToken?: { path: string };
}

const DEFAULT_MODE = 0o644;

/**
 * The files of a configMap, secret, downwardAPI or projected volume; `undefined` for other kinds.
 *
 * @throws {AppError} NotFound when an object or key is missing that is not optional
 */
export function volumePayload(volume: Volume, scope: Scope): Payload | undefined {
  const files = new Map<string, VolumeFile>();
  if (volume.projected) {
    const { sources = [], defaultMode } = volume.projected as {
      sources?: Source[];
      defaultMode?: number;
    };
    for (const source of sources) addSource(files, source, defaultMode ?? DEFAULT_MODE, scope);
    return files;
  }
  const own = volume.configMap ?? volume.secret ?? volume.downwardAPI;
  if (!own) return undefined;
  addSource(files, volume as Source, own.defaultMode ?? DEFAULT_MODE, scope);
  return files;
}

function addSource(
  files: Map<string, VolumeFile>,
  source: Source,
  mode: number,
  scope: Scope,
): void {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap) {
    const name = configMap.name ?? "";
    addObject(files, { kind: "configmap", name, want: configMap, mode }, scope.objects.configMaps);
  }
  if (secret) {
    const name = secret.secretName ?? secret.name ?? "";
    addObject(files, { kind: "secret", name, want: secret, mode }, scope.objects.secrets);
  }
  const asked = tokenSource({ ...source });
  if (asked && serviceAccountToken) {
    const token = scope.objects.tokens[tokenKey(asked)];
    if (token === undefined) {
      throw new AppError("NotFound", "the service account's token is not here");
    }
    files.set(serviceAccountToken.path, tokenFile(token, mode, scope.pod));
  }
  for (const item of downwardAPI?.items ?? []) {
    const content = new TextEncoder().encode(downwardText(item, scope));
    files.set(item.path, { content, mode: item.mode ?? mode });
  }
}

/** A token is for the pod's user and group alone, where it names any; else as the volume says. */
function tokenFile(token: string, mode: number, pod: Pod): VolumeFile {
  const content = new TextEncoder().encode(token);
  const uid = fsUser(pod);
  if (uid !== undefined) return { content, mode: 0o600, uid };
  return { content, mode: fsGroup(pod) === undefined ? mode : 0o600 };
}

function downwardText(item: DownwardItem, { pod, facts }: Scope): string {
  if (item.fieldRef) return fieldValue(pod, item.fieldRef.fieldPath, facts);
  const ref = item.resourceFieldRef;
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = all.find((one) => one.name === ref?.containerName);
  if (!ref || !container) {
    throw new AppError("Invalid", `downwardAPI item ${item.path} names no field of a container`);
  }
  return resourceFieldValue(pod, container, ref, facts);
}

function addObject(
  files: Map<string, VolumeFile>,
  input: {
    readonly kind: string;
    readonly name: string;
    readonly want: { items?: KeyToPath[]; optional?: boolean };
    readonly mode: number;
  },
  all: Readonly<Record<string, ConfigData>>,
): void {
  const { kind, name, want, mode } = input;
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (!found) {
    if (want.optional) return;
    throw new AppError("NotFound", `${kind} "${name}" not found`);
  }
  const keys = [...Object.keys(found.data), ...Object.keys(found.binary)];
  const items = want.items ?? keys.map((key) => ({ key, path: key }));
  for (const item of items as KeyToPath[]) {
    const content = contentOf(found, item.key);
    if (content) files.set(item.path, { content, mode: item.mode ?? mode });
    else if (!want.optional) {
      throw new AppError("NotFound", `${kind} "${name}" has no key "${item.key}"`);
    }
  }
}

function contentOf(config: ConfigData, key: string): Uint8Array | undefined {
  if (Object.hasOwn(config.data, key)) return new TextEncoder().encode(config.data[key]);
  const binary = Object.hasOwn(config.binary, key) ? config.binary[key] : undefined;
  return binary === undefined ? undefined : decodeBase64(binary);
}
