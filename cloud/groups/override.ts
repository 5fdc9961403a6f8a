import type { KubeObject, Overriders } from "../../core/api/mod.ts";
import { overrideImage } from "./image_name.ts";

// deno-lint-ignore no-explicit-any -- manifests hold what their authors wrote
type Any = any;

/** Where the pod spec of a workload is, by `group/kind`. */
const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  "/Pod": ["spec"],
  "apps/Deployment": ["spec", "template", "spec"],
  "apps/ReplicaSet": ["spec", "template", "spec"],
  "apps/DaemonSet": ["spec", "template", "spec"],
  "apps/StatefulSet": ["spec", "template", "spec"],
  "batch/Job": ["spec", "template", "spec"],
  "batch/CronJob": ["spec", "jobTemplate", "spec", "template", "spec"],
};
const HAVE_REPLICAS = new Set(["Deployment", "ReplicaSet", "StatefulSet"]);

/** The path of a workload's pod spec; `undefined` when the object is no workload. */
export function podSpecPath({ apiVersion, kind }: KubeObject): readonly string[] | undefined {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  const key = `${group}/${kind}`;
  return Object.hasOwn(POD_SPECS, key) ? POD_SPECS[key] : undefined;
}

/** The pod spec of a workload. @throws {RangeError} when it has none */
export function podSpecOf(object: KubeObject): Record<string, Any> {
  const path = podSpecPath(object) ?? [];
  const spec = path.reduce<Any>((at, step) => at?.[step], object);
  if (!isMap(spec)) throw new RangeError(`${path.join(".")} is missing`);
  return spec;
}

/**
 * Makes the changes that one target of an EdgeApplication wants, in place. Containers that a workload
 * does not have are passed over: another manifest of the application may have them.
 *
 * @throws {RangeError} when a change cannot be made; the message says which and why
 */
export function override(object: KubeObject, rules: Overriders): void {
  const spec = podSpecOf(object);
  if (rules.replicas !== undefined && HAVE_REPLICAS.has(object.kind)) {
    object["spec"].replicas = rules.replicas;
  }
  rules.imageOverriders?.forEach((rule, index) => {
    try {
      if (rule.predicate) overrideAt(object, rule.predicate.path, rule);
      else for (const one of containersOf(spec)) one.image = overrideImage(textOf(one.image), rule);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new RangeError(`imageOverriders[${index}]: ${why}`, { cause: error });
    }
  });
  each(spec, rules.envOverriders, (container, { operator, value = [] }) => {
    const names = new Set(value.map(({ name }) => name));
    const before: Any[] = Array.isArray(container.env) ? container.env : [];
    const kept = before.map((one) => {
      const other = value.find(({ name }) => name === one?.name);
      return other && operator !== "remove" ? structuredClone(other) : one;
    });
    container.env = operator === "remove"
      ? kept.filter((one) => !names.has(one?.name))
      : [...kept, ...value.filter(({ name }) => !before.some((one) => one?.name === name))];
  });
  for (const field of ["command", "args"] as const) {
    each(spec, rules[`${field}Overriders`], (container, { operator, value = [] }) => {
      const before: Any[] = Array.isArray(container[field]) ? container[field] : [];
      const after = operator === "add"
        ? [...before, ...value]
        : before.filter((one) => !value.includes(one));
      // An empty list would not be the image's own.
      if (after.length > 0) container[field] = after;
      else delete container[field];
    });
  }
  each(spec, rules.resourcesOverriders, (container, { value = {} }) => {
    container.resources = structuredClone(value);
  });
}

function overrideAt(
  object: KubeObject,
  path: string,
  rule: Parameters<typeof overrideImage>[1],
): void {
  const steps = path.split("/").slice(1);
  const last = steps.pop();
  const place = steps.reduce<Any>(
    (at, step) =>
      typeof at === "object" && at !== null && Object.hasOwn(at, step) ? at[step] : undefined,
    object,
  );
  if (
    !path.startsWith("/") || last === undefined || typeof place !== "object" || place === null ||
    !Object.hasOwn(place, last) || typeof place[last] !== "string"
  ) throw new RangeError(`there is no image at ${path}`);
  place[last] = overrideImage(place[last], rule);
}

function textOf(image: unknown): string {
  if (typeof image === "string" && image !== "") return image;
  throw new RangeError("a container has no image");
}

function each<T extends { containerName: string }>(
  spec: Record<string, Any>,
  rules: readonly T[] | undefined,
  change: (container: Any, rule: T) => void,
): void {
  for (const rule of rules ?? []) {
    for (const container of containersOf(spec)) {
      if (container.name === rule.containerName) change(container, rule);
    }
  }
}

/** As in KubeEdge, init containers are not among them: their images are changed by a path only. */
function containersOf(spec: Record<string, Any>): Any[] {
  return Array.isArray(spec["containers"]) ? spec["containers"].filter(isMap) : [];
}

function isMap(value: unknown): value is Record<string, Any> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
