import { forbiddenField, type Problems } from "./field_error.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

/** What is set up with a pod's containers and cannot come later. */
const FORBIDDEN = [
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
];

/** The problems that only an ephemeral container has. */
export function ephemeralProblems(
  field: string,
  container: Any,
  targets: ReadonlySet<unknown>,
): Problems {
  if (typeof container !== "object" || container === null) return [];
  const problems: Problems = [];
  const why = "cannot be set for an Ephemeral Container";
  for (const name of FORBIDDEN) {
    if (!isEmpty(container[name])) problems.push(forbiddenField(`${field}.${name}`, why));
  }
  const mounts: Any[] = Array.isArray(container.volumeMounts) ? container.volumeMounts : [];
  mounts.forEach((mount, at) => {
    for (const name of ["subPath", "subPathExpr"]) {
      const path = `${field}.volumeMounts[${at}].${name}`;
      if (mount?.[name]) problems.push(forbiddenField(path, why));
    }
  });
  const target = container.targetContainerName;
  if (target && !targets.has(target)) {
    problems.push({
      field: `${field}.targetContainerName`,
      message: `Not found: ${JSON.stringify(target)}`,
      reason: "FieldValueNotFound",
    });
  }
  return problems;
}

/** Defaults leave empty maps behind. */
function isEmpty(value: Any): boolean {
  return value === undefined || value === null ||
    (typeof value === "object" && Object.keys(value).length === 0);
}
