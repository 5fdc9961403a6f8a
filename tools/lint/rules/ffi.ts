import { placedRule } from "../visit.ts";

/**
 * FFI voids the sandbox of the process that holds it, so only `runner/engine` touches it.
 * Tests and tools are not exempt: a test of native code lives beside it.
 */
export const ffi: Deno.lint.Rule = placedRule((place, report) => {
  if (/^runner\/engine[/_.]/.test(place.path)) return undefined;
  return {
    MemberExpression(node) {
      if (node.object.type !== "Identifier" || node.object.name !== "Deno") return;
      if (node.property.type !== "Identifier") return;
      if (!/^(dlopen|Unsafe\w+)$/.test(node.property.name)) return;
      report(
        node,
        `Deno.${node.property.name} is used only in runner/engine`,
        "Ask runner/engine for what you need.",
      );
    },
  };
});
