import { type TarEntry, writeTar } from "./tar.ts";

/** One image of a docker archive: a name and how its containers start. */
export interface ImageSpec {
  /** Full reference with tag, e.g. `skerry.test/busybox:1`. */
  readonly ref: string;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  /** `User` of the image configuration, e.g. `1000:1000`. @default {root} */
  readonly user?: string;
}

/**
 * Packs images that share one root file system into a docker archive (the format of `docker save`),
 * which `ctr images import` and a registry both read. `architecture` is a Go architecture name.
 */
export async function dockerArchive(
  layer: Uint8Array<ArrayBuffer>,
  images: readonly ImageSpec[],
  architecture: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const diffId = await sha256(layer);
  const layerPath = `${diffId}/layer.tar`;
  const entries: TarEntry[] = [
    { kind: "directory", path: `${diffId}/`, mode: 0o755 },
    { kind: "file", path: layerPath, mode: 0o644, data: layer },
  ];
  const manifest: unknown[] = [];
  for (const image of images) {
    const config = json(imageConfig(image, [`sha256:${diffId}`], architecture));
    const name = `${await sha256(config)}.json`;
    entries.push({ kind: "file", path: name, mode: 0o644, data: config });
    manifest.push({ Config: name, RepoTags: [image.ref], Layers: [layerPath] });
  }
  entries.push({ kind: "file", path: "manifest.json", mode: 0o644, data: json(manifest) });
  return writeTar(entries);
}

/** An image's configuration, in the form that docker and OCI share; layers by their digests. */
export function imageConfig(
  image: ImageSpec,
  diffIds: readonly string[],
  architecture: string,
): unknown {
  return {
    architecture,
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: {
      Env: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ...image.env ?? [],
      ],
      ...(image.entrypoint ? { Entrypoint: image.entrypoint } : {}),
      ...(image.cmd ? { Cmd: image.cmd } : {}),
      ...(image.user ? { User: image.user } : {}),
    },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: image.ref }],
  };
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return digest.toHex();
}
