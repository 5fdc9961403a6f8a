import { forbiddenField, invalid, type Problems, required, wrongType } from "./field_error.ts";
import { listAt, oneOf, PORT_NAME, portNumber, wholeNumber } from "./values.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc"];
const NUMBERS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
];
const HEADER_NAME = /^[-A-Za-z0-9]+$/;

/** The problems of a container's probes; `probed` says whether it may have any. */
export function probeProblems(
  field: string,
  container: Any,
  { probed }: { readonly probed: boolean },
): Problems {
  const problems: Problems = [];
  for (const name of PROBES) {
    const probe = container?.[name];
    if (probe === undefined || probe === null) continue;
    const at = `${field}.${name}`;
    if (!probed) {
      const why = "may not be set for init containers without restartPolicy=Always";
      problems.push(forbiddenField(at, why));
    } else if (typeof probe !== "object" || Array.isArray(probe)) {
      problems.push(wrongType(at, probe, "object"));
    } else {
      handlerProblems(at, probe, HANDLERS, problems);
      numberProblems(at, name, probe, problems);
    }
  }
  return problems;
}

/** The problems of what a probe or a hook does: exactly one of `handlers`. */
export function handlerProblems(
  at: string,
  probe: Any,
  handlers: readonly string[],
  problems: Problems,
): void {
  const [first, second] = handlers.filter((name) => typeof probe[name] === "object" && probe[name]);
  if (!first) return void problems.push(required(at, "must specify a handler type"));
  if (second) {
    const why = "may not specify more than 1 handler type";
    problems.push(forbiddenField(`${at}.${second}`, why));
  }
  const field = `${at}.${first}`;
  const action = probe[first];
  if (first === "exec") {
    const command = listAt(`${field}.command`, action.command, problems);
    if (command.length === 0) problems.push(required(`${field}.command`));
    return;
  }
  if (first === "sleep") return;
  portProblems(`${field}.port`, action.port, { named: first !== "grpc" }, problems);
  if (first !== "httpGet") return;
  oneOf(`${field}.scheme`, action.scheme, ["HTTP", "HTTPS"], problems);
  listAt(`${field}.httpHeaders`, action.httpHeaders, problems).forEach((header: Any) => {
    if (HEADER_NAME.test(header?.name ?? "")) return;
    const why = "a valid HTTP header must consist of alphanumeric characters or '-'";
    problems.push(invalid(`${field}.httpHeaders`, header?.name ?? "", why));
  });
}

function portProblems(
  field: string,
  port: Any,
  { named }: { readonly named: boolean },
  problems: Problems,
): void {
  if (port === undefined || port === null) return void problems.push(required(field));
  if (!named || typeof port !== "string") return portNumber(field, port, problems);
  // A number as text is taken for the number.
  if (/^\d+$/.test(port)) portNumber(field, Number(port), problems);
  else if (!PORT_NAME.test(port)) {
    const why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), at " +
      "least one letter, and be no more than 15 characters";
    problems.push(invalid(field, port, why));
  }
}

function numberProblems(
  at: string,
  name: typeof PROBES[number],
  probe: Any,
  problems: Problems,
): void {
  for (const number of NUMBERS) wholeNumber(`${at}.${number}`, probe[number], problems);
  if (name !== "readinessProbe" && (probe.successThreshold ?? 1) !== 1) {
    problems.push(invalid(`${at}.successThreshold`, probe.successThreshold, "must be 1"));
  }
  const { terminationGracePeriodSeconds: grace } = probe;
  if (grace === undefined || grace === null) return;
  const field = `${at}.terminationGracePeriodSeconds`;
  if (name === "readinessProbe") {
    problems.push(invalid(field, grace, "must not be set for readinessProbes"));
  } else if (!Number.isInteger(grace) || grace <= 0) {
    problems.push(invalid(field, grace, "must be greater than 0"));
  }
}
