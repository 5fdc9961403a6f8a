import { AppError, deadline, errorText, seconds } from "../../core/base/mod.ts";
import { FUNCTION_CHECKS, HUB_CHECKS, MACHINE_CHECKS, STATE_CHECKS } from "./machine_checks.ts";
import { RUNTIME_CHECKS } from "./runtime_checks.ts";
import type { Check, CheckContext, CheckResult } from "./check.ts";

/** A check that takes longer has failed. */
const LIMIT = seconds(5);

/** All checks, in the order in which a person mends things. */
export const CHECKS: readonly Check[] = [
  ...STATE_CHECKS,
  ...MACHINE_CHECKS,
  ...RUNTIME_CHECKS,
  ...FUNCTION_CHECKS,
  ...HUB_CHECKS,
];

/** Runs all checks that have a meaning here, side by side. Never throws but for `signal`. */
export async function runChecks(
  context: CheckContext,
  signal: AbortSignal,
  checks: readonly Check[] = CHECKS,
): Promise<CheckResult[]> {
  const due = checks.filter((check) => check.when?.(context) ?? true);
  return await Promise.all(due.map(async (check): Promise<CheckResult> => {
    const { name } = check;
    const late = (): AppError =>
      new AppError("Timeout", `there was no answer within ${LIMIT / 1000} s`);
    using limit = deadline(context.clock, LIMIT, late, signal);
    try {
      return { name, ok: true, message: await check.look(context, limit.signal) };
    } catch (error) {
      signal.throwIfAborted();
      return { name, ok: false, message: errorText(error) };
    }
  }));
}
