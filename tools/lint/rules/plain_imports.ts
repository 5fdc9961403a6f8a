import { importRule } from "../visit.ts";

/**
 * A build must work behind an npm mirror alone: nothing comes from jsr: or from a URL, and every
 * npm package stands with its exact version in deno.json, not in a file.
 */
export const plainImports: Deno.lint.Rule = importRule((_from, site, report) => {
  const scheme = /^(jsr|https?|npm):/.exec(site.specifier)?.[1];
  if (scheme === undefined) return;
  report(
    site.node,
    `"${site.specifier}" is not a relative path, a node: module or a name of deno.json's imports`,
    scheme === "npm"
      ? "Use the bare name from deno.json's imports."
      : "Use an npm package of deno.json's imports, or own code in core/base.",
  );
});
