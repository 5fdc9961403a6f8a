import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../../core/api/mod.ts";

/** Where the manifests are. */
export const FOLDER: string = new URL(".", import.meta.url).pathname;

/** Manifests in the shapes that users of KubeEdge have. */
export async function acceptedManifests(): Promise<KubeObject[]> {
  return await read("accepted.yaml");
}

/** Manifests that are refused, each with the text that the refusal holds. */
export async function refusedManifests(): Promise<{ object: KubeObject; expect: string }[]> {
  return (await read("refused.yaml")).map((object) => ({
    object,
    expect: object.metadata.annotations?.["expect"] ?? "",
  }));
}

async function read(file: string): Promise<KubeObject[]> {
  const text = await Deno.readTextFile(`${FOLDER}${file}`);
  return parseAllDocuments(text).map((document) => document.toJS());
}
