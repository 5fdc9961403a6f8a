import { bytes } from "../../../core/base/mod.ts";
import type { ImageAuth, ImageFilesystem, ImageInfo } from "../runtime.ts";
import { type Call, WORK_TIMEOUT } from "./calls.ts";
import { type Image, ImageService } from "./gen/runtime_pb.ts";
import type { GrpcChannel } from "./grpc/channel.ts";

const { imageFsInfo, imageStatus, listImages, pullImage, removeImage } = ImageService.method;

/** The image half of CRI. */
export class CriImages {
  readonly #channel: GrpcChannel;
  readonly #call: Call;

  constructor(channel: GrpcChannel, call: Call) {
    this.#channel = channel;
    this.#call = call;
  }

  /** {@linkcode Runtime.imageStatus}. */
  async status(image: string, signal: AbortSignal): Promise<ImageInfo | undefined> {
    const answer = await this.#call(imageStatus, { image: { image } }, signal);
    return answer.image ? toImageInfo(answer.image) : undefined;
  }

  /** {@linkcode Runtime.images}. */
  async list(signal: AbortSignal): Promise<ImageInfo[]> {
    return (await this.#call(listImages, {}, signal)).images.map(toImageInfo);
  }

  /** {@linkcode Runtime.pullImage}. Takes as long as it takes: only `signal` ends it. */
  async pull(image: string, auth: ImageAuth | undefined, signal: AbortSignal): Promise<string> {
    const request = { image: { image }, ...(auth ? { auth } : {}) };
    return (await this.#channel.unary(pullImage, request, { signal })).imageRef;
  }

  /** {@linkcode Runtime.imageFilesystems}. */
  async filesystems(signal: AbortSignal): Promise<ImageFilesystem[]> {
    const { imageFilesystems } = await this.#call(imageFsInfo, {}, signal);
    return imageFilesystems.map(({ fsId, usedBytes, inodesUsed }) => ({
      mountpoint: fsId?.mountpoint ?? "",
      used: bytes(Number(usedBytes?.value ?? 0)),
      inodes: Number(inodesUsed?.value ?? 0),
    }));
  }

  /** {@linkcode Runtime.removeImage}. */
  async remove(image: string, signal: AbortSignal): Promise<void> {
    await this.#call(removeImage, { image: { image } }, signal, WORK_TIMEOUT);
  }
}

function toImageInfo(image: Image): ImageInfo {
  return {
    id: image.id,
    tags: image.repoTags,
    digests: image.repoDigests,
    size: bytes(Number(image.size)),
    ...(image.uid ? { uid: Number(image.uid.value) } : {}),
    ...(image.username === "" ? {} : { username: image.username }),
    ...(image.pinned ? { pinned: true } : {}),
  };
}
