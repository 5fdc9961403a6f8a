import type { KubeObject } from "./object.ts";

/**
 * On a Node, from its hub: the extended resources that the node itself has ever told of, by commas.
 * All others somebody has advertised by hand, and nothing on the node gives them to containers.
 */
export const DEVICE_RESOURCES_ANNOTATION = "skerry.dev/device-resources";

/** The names in {@linkcode DEVICE_RESOURCES_ANNOTATION}. */
export function deviceResources({ metadata }: KubeObject): string[] {
  const text = metadata.annotations?.[DEVICE_RESOURCES_ANNOTATION] ?? "";
  return text.split(",").filter((name) => name !== "");
}
