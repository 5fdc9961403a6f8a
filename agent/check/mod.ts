/** The check room: named checks of a gateway, for `skerry check`. */
export type { Check, CheckContext, CheckResult } from "./check.ts";
export { checkRoute } from "./route.ts";
