import type { Container, Pod, Volume } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import type { Mount } from "../../runtimes/mod.ts";
import { writeAtomically } from "./atomic_writer.ts";
import { lstat, type VolumeFile } from "./volume_file.ts";
import { expandVariables } from "../config/expand.ts";
import type { DownwardFacts } from "../config/field_ref.ts";
import { ensureHostPath, mayNotLook } from "./host_path.ts";
import type { PodPaths, VolumeKind } from "../paths.ts";
import type { LinkPool } from "./link_pool.ts";
import { fsGroup } from "./ownership.ts";
import { volumePayload } from "./payload.ts";
import { isRecursive } from "../policy/mounts.ts";
import type { PodObjects } from "../policy/plan.ts";
import { resolveSubPath } from "./sub_path.ts";

/** What volumes are written from. */
export interface VolumeInput {
  readonly pod: Pod;
  readonly objects: PodObjects;
  readonly facts: DownwardFacts;
}

/** The links of each file system that volumes are on. */
export type LinkPools = Readonly<Record<"memory" | "disk", LinkPool>>;

/**
 * Writes the pod's volumes, or brings them up to date: folders for emptyDir, files for configMap,
 * secret, downwardAPI and projected (swapped as one), checks for hostPath. Idempotent.
 *
 * @throws {AppError} NotFound, Invalid, Forbidden with a message that names the volume
 */
export async function ensureVolumes(
  paths: PodPaths,
  input: VolumeInput,
  links: LinkPools,
): Promise<void> {
  for (const volume of input.pod.spec.volumes ?? []) {
    try {
      await ensureVolume(paths, volume, { ...input, links });
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new AppError(
        cause instanceof AppError ? cause.code : "InternalError",
        `MountVolume.SetUp failed for volume "${volume.name}" : ${text}`,
      );
    }
  }
}

async function ensureVolume(
  paths: PodPaths,
  volume: Volume,
  input: VolumeInput & { readonly links: LinkPools },
): Promise<void> {
  if (volume.hostPath) return await ensureHostPath(volume.hostPath.path, volume.hostPath.type);
  const dir = volumeDir(paths, input.pod, volume);
  const gid = fsGroup(input.pod);
  const payload = volumePayload(volume, input);
  if (payload) {
    await Deno.mkdir(dir, { recursive: true });
    const readable = gid === undefined ? payload : new Map(
      [...payload].map(([path, file]): [string, VolumeFile] => [path, {
        ...file,
        mode: file.mode | 0o040,
      }]),
    );
    const links = input.links[isInMemory(volume) ? "memory" : "disk"];
    await writeAtomically(dir, readable, { gid, links });
    return;
  }
  await makeEmptyDir(dir, { gid, sticky: isInMemory(volume) });
}

/**
 * Makes the folder of an emptyDir once: what its containers have made of it since stays. One in memory
 * is the root of a tmpfs with a kubelet, which is sticky.
 */
async function makeEmptyDir(
  dir: string,
  { gid, sticky }: { readonly gid: number | undefined; readonly sticky: boolean },
): Promise<void> {
  if (await lstat(dir)) return;
  const cut = dir.lastIndexOf("/");
  const half = `${dir.slice(0, cut)}/..new-${dir.slice(cut + 1)}`;
  await Deno.mkdir(half, { recursive: true });
  if (gid !== undefined) await Deno.chown(half, null, gid);
  await Deno.chmod(half, 0o777 | (gid === undefined ? 0 : 0o2000) | (sticky ? 0o1000 : 0));
  await Deno.rename(half, dir);
}

/** Where a volume is on this node. */
export function volumeDir(paths: PodPaths, pod: Pod, volume: Volume): string {
  if (volume.hostPath) return volume.hostPath.path;
  const place = { name: volume.name, kind: kindOf(volume), memory: isInMemory(volume) };
  return paths.volume(pod.metadata.uid ?? "", place);
}

/** Whether a volume is never on a disk. */
function isInMemory(volume: Volume): boolean {
  if (volume.secret || volume.emptyDir?.medium === "Memory") return true;
  return (volume.projected?.sources ?? []).some(
    (one: { secret?: unknown; serviceAccountToken?: unknown }) =>
      one.secret || one.serviceAccountToken,
  );
}

function kindOf(volume: Volume): VolumeKind {
  if (volume.configMap) return "configmap";
  if (volume.secret) return "secret";
  if (volume.downwardAPI) return "downward-api";
  if (volume.projected) return "projected";
  if (volume.emptyDir) return "empty-dir";
  throw new AppError("Unsupported", `volume "${volume.name}" is of no kind that is served`);
}

const PROPAGATION: Record<string, Mount["propagation"]> = {
  None: "private",
  HostToContainer: "host-to-container",
  Bidirectional: "bidirectional",
};

/**
 * The mounts of one container: its volumes in order of their paths' depth, so that one inside
 * another comes after it.
 *
 * @throws {AppError} NotFound for a mount of a volume that the pod does not have, Invalid for a bad subPath
 */
export async function containerMounts(
  paths: PodPaths,
  input: {
    readonly pod: Pod;
    readonly container: Container;
    readonly env: ReadonlyMap<string, string>;
    /** Whether the runtime has recursive read-only mounts. */
    readonly recursiveReadOnly: boolean;
  },
): Promise<Mount[]> {
  const { pod, container, env } = input;
  const out: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((one) => one.name === mount.name);
    if (!volume) {
      throw new AppError(
        "NotFound",
        `volumeMounts names volume "${mount.name}", which is not there`,
      );
    }
    const root = volumeDir(paths, pod, volume);
    const expr = mount.subPath ?? expandExpr(mount.subPathExpr, env);
    out.push({
      containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: expr ? await subPathOf(volume, root, expr) : root,
      readonly: mount.readOnly === true || !(volume.emptyDir || volume.hostPath),
      ...(isRecursive(mount.recursiveReadOnly, input.recursiveReadOnly)
        ? { recursiveReadOnly: true }
        : {}),
      // What the node made for this pod is the pod's; a folder of the host is somebody else's.
      ...(volume.hostPath ? {} : { relabel: true }),
      propagation: PROPAGATION[mount.mountPropagation ?? "None"] ?? "private",
    });
  }
  return out.sort((a, b) => depth(a.containerPath) - depth(b.containerPath));
}

async function subPathOf(volume: Volume, root: string, subPath: string): Promise<string> {
  try {
    return await resolveSubPath(root, subPath);
  } catch (error) {
    if (!volume.hostPath || !(error instanceof Deno.errors.NotCapable)) throw error;
    throw mayNotLook(root, `follow subPath ${JSON.stringify(subPath)}`);
  }
}

function depth(path: string): number {
  return path.split("/").filter(Boolean).length;
}

function expandExpr(expr: unknown, env: ReadonlyMap<string, string>): string | undefined {
  if (typeof expr !== "string" || expr === "") return undefined;
  const path = expandVariables(expr, env);
  if (/\$\(\w+\)/.test(path)) {
    throw new AppError(
      "Invalid",
      `subPathExpr ${JSON.stringify(expr)} names a variable that is not set`,
    );
  }
  return path;
}
