import { placedRule } from "../visit.ts";

/** The linter wants plugins as default exports. */
const DEFAULT_EXPORT_ALLOWED = new Set(["tools/lint/plugin.ts"]);

/** No default exports, enums and namespaces: one way to export, types that erase. */
export const shape: Deno.lint.Rule = placedRule((place, report) => ({
  ExportDefaultDeclaration(node) {
    if (DEFAULT_EXPORT_ALLOWED.has(place.path)) return;
    report(node, "no default exports", "Export by name, so that the name is the same everywhere.");
  },
  TSEnumDeclaration(node) {
    report(node, "no enums", "Use a union of string literals.");
  },
  TSModuleDeclaration(node) {
    if (node.kind === "global") return;
    report(node, "no namespaces", "Use a file; its mod.ts is the namespace.");
  },
}));
