import { forbiddenField, invalid, type Problems, wrongType } from "./field_error.ts";
import { handlerProblems } from "./probe.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const HANDLERS = ["exec", "httpGet", "tcpSocket", "sleep"];

/** The problems of a container's hooks; `hooked` says whether it may have any. */
export function lifecycleProblems(
  field: string,
  lifecycle: Any,
  { hooked, grace }: {
    readonly hooked: boolean;
    /** The pod's grace in seconds. */
    readonly grace: unknown;
  },
): Problems {
  if (lifecycle === undefined || lifecycle === null) return [];
  const why = "may not be set for init containers without restartPolicy=Always";
  if (!hooked) return [forbiddenField(field, why)];
  if (typeof lifecycle !== "object") return [wrongType(field, lifecycle, "object")];
  const problems: Problems = [];
  for (const name of ["postStart", "preStop"]) {
    const hook = lifecycle[name];
    if (hook === undefined || hook === null) continue;
    const at = `${field}.${name}`;
    if (typeof hook !== "object") problems.push(wrongType(at, hook, "object"));
    else {
      handlerProblems(at, hook, HANDLERS, problems);
      sleepProblems(`${at}.sleep`, hook.sleep, grace, problems);
    }
  }
  return problems;
}

function sleepProblems(field: string, sleep: Any, grace: unknown, problems: Problems): void {
  if (typeof sleep !== "object" || sleep === null) return;
  const { seconds } = sleep;
  const most = typeof grace === "number" ? grace : 30;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= most) return;
  const why = `must be non-negative and less than terminationGracePeriodSeconds (${most})`;
  problems.push(invalid(field, seconds ?? 0, why));
}
