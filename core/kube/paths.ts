import { AppError } from "../base/mod.ts";
import type { ResourceDef } from "../api/mod.ts";

/**
 * The path of a resource's collection, or of one object of it, at an API server.
 *
 * @throws {AppError} Invalid when a name would lead elsewhere: URLs fold dots
 */
export function pathOf(
  resource: Pick<ResourceDef, "group" | "version" | "plural" | "namespaced">,
  at: { readonly namespace?: string; readonly name?: string; readonly subresource?: string } = {},
): string {
  const { group, version, plural } = resource;
  const { namespace, name, subresource } = at;
  for (const part of [namespace || "default", name ?? plural]) {
    if (/^\.{0,2}$/.test(part)) {
      throw new AppError("Invalid", `no ${plural} can have the name "${part}"`);
    }
  }
  return [
    group === "" ? "" : "/apis",
    group === "" ? "/api" : `/${encodeURIComponent(group)}`,
    `/${version}`,
    namespace ? `/namespaces/${encodeURIComponent(namespace)}` : "",
    `/${plural}`,
    name === undefined ? "" : `/${encodeURIComponent(name)}`,
    subresource === undefined ? "" : `/${subresource}`,
  ].join("");
}
