import { type ExtraRoute, jsonResponse } from "../../core/http/mod.ts";
import type { CheckContext } from "./check.ts";

/** `GET /skerry/v1/check` of the local API: every check and how it went, for `skerry check`. */
export function checkRoute(context: CheckContext): ExtraRoute {
  return {
    method: "GET",
    path: "/skerry/v1/check",
    access: { kind: "authorized" },
    async handle({ info }) {
      // Loaded when somebody asks, as that is rare.
      const { runChecks } = await import("./checks.ts");
      return jsonResponse({ checks: await runChecks(context, info.signal) });
    },
  };
}
