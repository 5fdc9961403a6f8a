import { minutes, type Ms } from "../../core/base/mod.ts";
import type { ImageInfo } from "../runtimes/mod.ts";

/** What is known of an image since this process started. Monotonic times. */
export interface ImageRecord {
  readonly firstSeen: Ms;
  /** Absent for one that no container was seen to use. */
  readonly lastUsed?: Ms;
}

/** By image id. */
export type ImageRecords = ReadonlyMap<string, ImageRecord>;

/** An image is not removed before it was there so long (`imageMinimumGCAge`): it may be for a pod that comes. */
export const MIN_AGE = minutes(2);

/** Folds one look at the images into what was known; images that are gone are forgotten. */
export function noteImages(
  before: ImageRecords,
  images: readonly ImageInfo[],
  inUse: ReadonlySet<string>,
  now: Ms,
): Map<string, ImageRecord> {
  return new Map(images.map((image) => {
    const old = before.get(image.id) ?? { firstSeen: now };
    return [image.id, isUsed(image, inUse) ? { ...old, lastUsed: now } : old];
  }));
}

/** Whether an image is among those named by id, digest or tag. */
export function isUsed(image: ImageInfo, names: ReadonlySet<string>): boolean {
  return [image.id, ...image.digests, ...image.tags].some((name) => names.has(name));
}

/**
 * The images to remove to get `wanted` bytes, the one that was not used for longest first, as the
 * kubelet chooses them (`image_gc_manager.go`): none that is in use or pinned, none that is new.
 */
export function chooseImages(
  input: {
    readonly images: readonly ImageInfo[];
    readonly records: ImageRecords;
    readonly inUse: ReadonlySet<string>;
    readonly wanted: number;
    readonly now: Ms;
  },
): { readonly remove: readonly ImageInfo[]; readonly freed: number } {
  const { images, records, inUse, wanted, now } = input;
  const recordOf = ({ id }: ImageInfo): ImageRecord => records.get(id) ?? { firstSeen: now };
  const order = images.filter((image) => {
    const old = now - recordOf(image).firstSeen >= MIN_AGE;
    return old && !image.pinned && !isUsed(image, inUse);
  }).sort((a, b) => {
    const [x, y] = [recordOf(a), recordOf(b)];
    return (x.lastUsed ?? -Infinity) - (y.lastUsed ?? -Infinity) || x.firstSeen - y.firstSeen || 0;
  });
  const remove: ImageInfo[] = [];
  let freed = 0;
  for (const image of order) {
    if (freed >= wanted) break;
    remove.push(image);
    freed += image.size;
  }
  return { remove, freed };
}
