import { type Place, placeOf, resolveImport, SIDES } from "../place.ts";
import { importRule } from "../visit.ts";

/**
 * `core` imports no side; `agent`, `cloud`, `runner`, `cli` and `mesh` import `core` and
 * themselves and nothing else of the repository. A test may use `tests/` and `tools/` as well.
 * This is what keeps a process free of code (and of permissions) that is not its own.
 */
export const sides: Deno.lint.Rule = importRule((from, site, report) => {
  const path = resolveImport(from.path, site.specifier);
  if (path === undefined) return;
  const message = forbidden(from, placeOf(path));
  if (message !== undefined) {
    report(site.node, message, "Move what both need into core, or pass it in from main.ts.");
  }
});

function forbidden(from: Place, to: Place): string | undefined {
  const isCore = from.top === "core";
  if (!isCore && !SIDES.includes(from.top)) return undefined;
  if (to.top === from.top || to.top === "core") return undefined;
  if (SIDES.includes(to.top)) {
    return isCore
      ? `core imports no side, and ${to.path} belongs to ${to.top}`
      : `${from.top} and ${to.top} never import each other: ${to.path}`;
  }
  if (from.test) return undefined;
  return `${from.top} ships and imports only core and itself: ${to.path}`;
}
