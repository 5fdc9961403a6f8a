import { resolveImport } from "../place.ts";
import { importRule } from "../visit.ts";

/** `main.ts` files construct a process and run on import; nobody imports them, tests neither. */
export const mainFiles: Deno.lint.Rule = importRule((from, site, report) => {
  const path = resolveImport(from.path, site.specifier);
  if (path === undefined || !/(^|\/)main\.ts$/.test(path)) return;
  report(
    site.node,
    `${path} starts a process; nobody imports it`,
    "Move what you need into a file beside it, or start it as a child process.",
  );
});
