import { placeOf, resolveImport } from "../place.ts";
import { importRule } from "../visit.ts";

/**
 * A room (`core/store`, `agent/pods`, `runner`, ...) is entered from elsewhere only through a
 * `mod.ts` of it, so that a room can change inside without a look at the others.
 * Tests, benches and tools may look inside.
 */
export const doors: Deno.lint.Rule = importRule((from, site, report) => {
  if (from.support) return;
  const path = resolveImport(from.path, site.specifier);
  if (path === undefined) return;
  const to = placeOf(path);
  if (to.room === "" || to.room === from.room || path.endsWith("/mod.ts")) return;
  report(
    site.node,
    `the room ${to.room} is entered through its mod.ts, not ${path}`,
    `Import ${to.room}/mod.ts; if the name is not exported there, ask the room to export it.`,
  );
});
