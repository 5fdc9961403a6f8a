import type { Place } from "../place.ts";
import { placedRule } from "../visit.ts";

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Date: ["now"],
  Math: ["random"],
  performance: ["now"],
  AbortSignal: ["timeout"],
};
const TIMERS = ["setTimeout", "setInterval"];
const GLOBALS = ["globalThis", "window", "self"];
const HINT = "Take a Clock (or Random) from core/base as a parameter, so that tests run on " +
  "virtual time and seeds replay.";

/**
 * The clock, timers and chance come from `core/base` only. A direct call cannot be moved by
 * `VirtualClock`, so one of them makes `tests/sim` wait for real time or differ between runs.
 */
export const time: Deno.lint.Rule = placedRule((place, report) => {
  if (exempt(place)) return undefined;
  return {
    MemberExpression(node) {
      const { object, property } = node;
      if (object.type !== "Identifier" || property.type !== "Identifier") return;
      const { name } = object;
      if (name === "Temporal" && property.name === "Now") {
        report(node, banned("Temporal.Now"), HINT);
      }
      const viaGlobal = GLOBALS.includes(name) && TIMERS.includes(property.name);
      if (viaGlobal || (Object.hasOwn(MEMBERS, name) && MEMBERS[name]?.includes(property.name))) {
        report(node, banned(`${name}.${property.name}`), HINT);
      }
    },
    CallExpression(node) {
      if (node.callee.type !== "Identifier") return;
      if (TIMERS.includes(node.callee.name) || node.callee.name === "Date") {
        report(node, banned(node.callee.name), HINT);
      }
    },
    NewExpression(node) {
      if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
      if (node.arguments.length === 0) report(node, banned("new Date() without a time"), HINT);
    },
    ImportDeclaration(node) {
      if (/^node:timers/.test(node.source.value)) report(node, banned(node.source.value), HINT);
    },
  };
});

function exempt(place: Place): boolean {
  return place.support || place.room === "core/base";
}

function banned(what: string): string {
  return `${what} is used only in core/base`;
}
