import { type Place, placeOf, relativePath } from "./place.ts";

/** The repository's root, as a path without a slash at its end. */
const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");

/** One import, export-from, dynamic import or type import of a file. */
export interface ImportSite {
  readonly node: Deno.lint.Node;
  /** What stands between the quotes. */
  readonly specifier: string;
}

/** Reports `message` at `node`; `hint` says what to do instead. */
export type Report = (node: Deno.lint.Node, message: string, hint: string) => void;

/** A rule that looks at every import of a file. `check` is called once an import. */
export function importRule(
  check: (from: Place, site: ImportSite, report: Report) => void,
): Deno.lint.Rule {
  return placedRule((from, report) => {
    const visit = (node: Deno.lint.Node, source: unknown): void => {
      const specifier = literalText(source);
      if (specifier !== undefined) check(from, { node, specifier }, report);
    };
    return {
      ImportDeclaration: (node) => visit(node, node.source),
      ImportExpression: (node) => visit(node, node.source),
      ExportAllDeclaration: (node) => visit(node, node.source),
      ExportNamedDeclaration: (node) => visit(node, node.source),
      TSImportType: (node) => visit(node, node.argument),
    };
  });
}

/** A rule that knows where the file stands. `create` may return no visitor to skip the file. */
export function placedRule(
  create: (
    place: Place,
    report: Report,
    context: Deno.lint.RuleContext,
  ) => Deno.lint.LintVisitor | undefined,
): Deno.lint.Rule {
  return {
    create(context) {
      const place = placeOf(relativePath(context.filename, ROOT));
      const report: Report = (node, message, hint) => context.report({ node, message, hint });
      return create(place, report, context) ?? {};
    },
  };
}

/** The text of a string literal node, of a type that is one, or `undefined`. */
function literalText(node: unknown): string | undefined {
  if (typeof node !== "object" || node === null) return undefined;
  const { type, value, literal } = node as { type?: string; value?: unknown; literal?: unknown };
  if (type === "TSLiteralType") return literalText(literal);
  return type === "Literal" && typeof value === "string" ? value : undefined;
}
