import { placedRule } from "../visit.ts";

/** Files that a generator writes carry their documentation in their source. */
const GENERATED = /_pb\.ts$/;

/**
 * Every exported symbol says what it is for. A name that is exported twice (a schema and its
 * type, the overloads of a function) needs one comment. Re-exports are documented at their source.
 */
export const documented: Deno.lint.Rule = placedRule((place, report, context) => {
  if (place.test || GENERATED.test(place.path)) return undefined;
  return {
    Program(program) {
      const { text } = context.sourceCode;
      const names = declarations(program.body, text);
      const seen = new Set<string>();
      for (const { name, node, exported } of names) {
        if (!exported || seen.has(name)) continue;
        if (names.some((other) => other.name === name && other.documented)) continue;
        seen.add(name);
        report(
          node,
          `the export ${name} has no JSDoc`,
          "Say what it is for, its shape and errors.",
        );
      }
    },
  };
});

interface Declared {
  readonly name: string;
  readonly node: Deno.lint.Node;
  readonly exported: boolean;
  readonly documented: boolean;
}

function declarations(body: readonly Deno.lint.Node[], text: string): Declared[] {
  const listed = new Set<string>();
  const out: Declared[] = [];
  for (const node of body) {
    if (node.type === "ExportNamedDeclaration" && !node.declaration && !node.source) {
      for (const { local } of node.specifiers) {
        if (local.type === "Identifier") listed.add(local.name);
      }
    }
    const inner = node.type === "ExportNamedDeclaration" ? node.declaration : node;
    if (!inner) continue;
    const documented = hasDoc(text, node.range[0]);
    for (const name of namesOf(inner)) {
      out.push({ name, node, exported: inner !== node, documented });
    }
  }
  return out.map((entry) => listed.has(entry.name) ? { ...entry, exported: true } : entry);
}

function namesOf(node: Deno.lint.Node): string[] {
  switch (node.type) {
    case "VariableDeclaration":
      return node.declarations.flatMap(({ id }) => id.type === "Identifier" ? [id.name] : []);
    case "FunctionDeclaration":
    case "TSDeclareFunction":
    case "ClassDeclaration":
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return node.id?.type === "Identifier" ? [node.id.name] : [];
    default:
      return [];
  }
}

/** Whether a JSDoc comment ends right before `start`; line comments and decorators may follow it. */
export function hasDoc(text: string, start: number): boolean {
  const lines = text.slice(0, start).trimEnd().split("\n");
  while (/^\s*(\/\/|@\w)/.test(lines.at(-1) ?? "")) lines.pop();
  const before = lines.join("\n").trimEnd();
  return before.endsWith("*/") && before.startsWith("/**", before.lastIndexOf("/*"));
}
