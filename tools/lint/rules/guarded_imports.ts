import { importRule } from "../visit.ts";

interface Guard {
  /** Packages and built-in modules that the guard is about. */
  readonly what: RegExp;
  /** The only files that may import them. */
  readonly where: RegExp;
  /** The same in words. */
  readonly place: string;
  /** Whether tests, benches and tools may import them as well. */
  readonly supportMay?: boolean;
}

const GUARDS: readonly Guard[] = [
  {
    what: /^node:sqlite$/,
    where: /^core\/store\/sqlite[^/]*\.ts$/,
    place: "core/store/sqlite*.ts",
  },
  {
    what: /^(npm:)?@kubernetes\/client-node\b/,
    where: /^cloud\/upstream\//,
    place: "cloud/upstream",
  },
  { what: /^(npm:)?ws(@|\/|$)/, where: /^core\/link\/ws[^/]*\.ts$/, place: "core/link/ws*.ts" },
  {
    what: /^(npm:)?(@grpc\/|@bufbuild\/)/,
    where: /^agent\/(runtimes\/cri|plugins)\//,
    place: "agent/runtimes/cri and agent/plugins",
  },
  // A peer's GOAWAY can end a process that uses node:http2, as a server and as a client: every test
  // of that process fails then.
  { what: /^(node:)?http2$/, where: /^$/, place: "no file" },
  // The listeners that ask for client certificates stand in one place each.
  {
    what: /^(node:)?https$/,
    where: /^core\/(http\/server|join\/hub_post|link\/ws)[^/]*\.ts$/,
    place: "core/http/server*.ts, core/join/hub_post.ts and core/link/ws*.ts",
    supportMay: true,
  },
  {
    what: /^(node:)?child_process$/,
    where: /^$/,
    place: "no file: use Deno.Command",
  },
];

/** Packages whose reach must stay small are imported only where the architecture says. */
export const guardedImports: Deno.lint.Rule = importRule((from, site, report) => {
  for (const guard of GUARDS) {
    if (!guard.what.test(site.specifier) || guard.where.test(from.path)) continue;
    if (guard.supportMay === true && from.support) continue;
    report(
      site.node,
      `"${site.specifier}" is imported only in ${guard.place}`,
      "Use what that room exports, or ask it for what is missing.",
    );
  }
});
