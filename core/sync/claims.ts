import { createHash } from "node:crypto";
import {
  groupResource,
  type KubeObject,
  type Pod,
  type Volume,
  VOLUME_RESOURCES,
} from "../api/mod.ts";
import { isName, keyOf, type ObjectKey } from "./object_key.ts";

const CLAIMS = groupResource(VOLUME_RESOURCES.persistentvolumeclaims);
const VOLUMES = groupResource(VOLUME_RESOURCES.persistentvolumes);
const ATTACHMENTS = groupResource(VOLUME_RESOURCES.volumeattachments);
const STEPS = [CLAIMS, VOLUMES, ATTACHMENTS];

/** What is known of claims and volumes: as far as they have been read. */
export interface ClaimIndex {
  claim(namespace: string, name: string): KubeObject | undefined;
  volume(name: string): KubeObject | undefined;
}

/** The claims that a pod's volumes are. Pure. What is malformed names nothing. */
export function claimKeysOf({ metadata, spec }: Pod): ObjectKey[] {
  const volumes: unknown = record(spec)["volumes"];
  if (!Array.isArray(volumes)) return [];
  return volumes.map((one) => {
    const volume = record(one) as Partial<Volume>;
    if (volume.ephemeral) return text(volume.name) && `${metadata.name}-${volume.name}`;
    return record(volume.persistentVolumeClaim)["claimName"];
  }).filter(isName).map((name) => keyOf(CLAIMS, metadata.namespace, name));
}

/**
 * What a claim leads to on a node, as far as it is known: the attachment, then the volume. Nothing for
 * what is no claim. Pure.
 */
export function claimInterest(key: ObjectKey, node: string, index: ClaimIndex): ObjectKey[] {
  const [resource, namespace = "", name = ""] = key.split("/");
  const claim = resource === CLAIMS ? index.claim(namespace, name) : undefined;
  const volumeName = claim && volumeNameOf(claim);
  if (!claim || volumeName === undefined) return [];
  const volume = index.volume(volumeName);
  // One that is another's by its own word must not come here by what this claim says.
  if (volume && !isVolumeOf(volume, claim)) return [];
  const attachment = volume && attachmentNameOf(volume, node);
  return [
    ...(attachment === undefined ? [] : [keyOf(ATTACHMENTS, undefined, attachment)]),
    keyOf(VOLUMES, undefined, volumeName),
  ];
}

/**
 * How far from a pod an object of this kind is on the way to a volume: 0 for claims, 1 for volumes, 2
 * for attachments. Negative for all other kinds.
 */
export function volumeStep(key: ObjectKey): number {
  return STEPS.indexOf(key.slice(0, key.indexOf("/")));
}

/** Whether an object is on the way to a volume: a node may read it by name, and not list or watch it. */
export function leadsToVolume(key: ObjectKey): boolean {
  return volumeStep(key) >= 0;
}

/**
 * Whether it means something that an object is not there, or that nothing in `interest` leads to it.
 * `isRead` says of which objects it is known if they exist. Of kinds that are not on the way to a volume
 * nothing is said here: it is so. Pure.
 */
export function absenceCounts(
  key: ObjectKey,
  interest: ReadonlySet<ObjectKey>,
  isRead: (key: ObjectKey) => boolean,
): boolean {
  const step = volumeStep(key);
  if (step < 0) return true;
  if (interest.has(key)) return isRead(key);
  for (const one of interest) {
    const before = volumeStep(one);
    if (before >= 0 && before < step && !isRead(one)) return false;
  }
  return true;
}

/**
 * The volume that a claim is bound to. `spec.volumeName` alone is only what somebody asks for:
 * Kubernetes says `Bound` once the volume is this claim's.
 */
function volumeNameOf(claim: KubeObject): string | undefined {
  if (record(claim["status"])["phase"] !== "Bound") return undefined;
  const name = record(claim["spec"])["volumeName"];
  return isName(name) ? name : undefined;
}

function isVolumeOf(volume: KubeObject, { metadata }: KubeObject): boolean {
  const { namespace, name, uid } = record(record(volume["spec"])["claimRef"]);
  return namespace === metadata.namespace && name === metadata.name && uid === metadata.uid;
}

/**
 * The name of the VolumeAttachment of a CSI volume on a node, as Kubernetes' attacher makes it; absent
 * for volumes of other kinds.
 */
export function attachmentNameOf(volume: KubeObject, node: string): string | undefined {
  const { driver, volumeHandle } = record(record(volume["spec"])["csi"]);
  if (!text(driver) || !text(volumeHandle)) return undefined;
  return `csi-${createHash("sha256").update(`${volumeHandle}${driver}${node}`).digest("hex")}`;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
