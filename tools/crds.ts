/**
 * Writes `charts/skerry/crds`: the CustomResourceDefinitions by which a real API server serves the kinds
 * that are not Kubernetes' own, out of the schemas in `core/api`. A test fails when they differ.
 *
 *     deno task crds
 */
import { stringify } from "yaml";
import { crdOf } from "../core/api/crd/mod.ts";
import { customKind, RESOURCE_LIST } from "../core/api/mod.ts";

/** Where the files are. */
export const CRD_FOLDER = new URL("../charts/skerry/crds/", import.meta.url);

/** The files by their names, one a group. */
export function crdFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const resource of RESOURCE_LIST) {
    if (!customKind(resource)) continue;
    const name = `${resource.group}.yaml`;
    const head = files.get(name) ?? "# Written by tools/crds.ts: change the schemas in core/api.\n";
    const text = stringify(crdOf(resource), { lineWidth: 100, aliasDuplicateObjects: false });
    files.set(name, `${head}---\n${text}`);
  }
  return files;
}

if (import.meta.main) {
  await Deno.mkdir(CRD_FOLDER, { recursive: true });
  for (const [name, text] of crdFiles()) await Deno.writeTextFile(new URL(name, CRD_FOLDER), text);
}
