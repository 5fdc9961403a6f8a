import { createHash } from "node:crypto";
import { type ErrorCode, isAppError } from "../../../core/base/mod.ts";
import { READ_TIMEOUT } from "./calls.ts";
import type { GrpcChannel } from "./grpc/channel.ts";
import { linkArchive } from "./link_archive.ts";
import { NAMESPACE_HEADERS } from "./namespace.ts";

const MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar";
/** containerd may collect the archive, which no image names, before it is unpacked. */
const TRIES = 4;

/**
 * Makes symbolic links in `dir` by containerd's own services: an archive of them goes into its
 * content store, is unpacked onto a bind mount of the folder, and is taken out again. It holds names
 * only, never content: the content store is on a disk.
 *
 * @throws {AppError} Unsupported when the runtime is not containerd
 */
export async function makeLinks(
  channel: GrpcChannel,
  dir: string,
  links: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  // Loaded when the first volume wants a link; a runtime that has none never pays for them.
  const { Content, WriteAction } = await import("./gen/containerd_content_pb.ts");
  const { Diff } = await import("./gen/containerd_diff_pb.ts");
  const options = { signal, headers: NAMESPACE_HEADERS, timeout: READ_TIMEOUT };
  const data = linkArchive(links);
  const digest = `sha256:${createHash("sha256").update(data).digest("hex")}`;
  const size = BigInt(data.length);
  const write = { action: WriteAction.COMMIT, total: size, expected: digest, data };
  const source = { diff: { mediaType: MEDIA_TYPE, digest, size } };
  const mounts = [{ type: "bind", source: dir, options: ["rbind", "rw"] }];
  for (let tries = 1;; tries++) {
    const ref = `skerry-${crypto.randomUUID()}`;
    await channel.unary(Content.method.write, { ...write, ref }, options)
      .catch(unless("AlreadyExists"));
    try {
      await channel.unary(Diff.method.apply, { ...source, mounts }, options);
      break;
    } catch (error) {
      if (!isAppError(error, "NotFound") || tries === TRIES) throw error;
    }
  }
  await channel.unary(Content.method.delete, { digest }, options).catch(unless("NotFound"));
}

function unless(code: ErrorCode): (error: unknown) => void {
  return (error) => {
    if (!isAppError(error, code)) throw error;
  };
}
