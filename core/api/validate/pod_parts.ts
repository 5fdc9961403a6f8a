import type { KubeObject } from "../object.ts";
import { MIRROR_ANNOTATION } from "../pod.ts";
import { qosClass } from "../qos.ts";
import { type Json, jsonEqual } from "../patch/mod.ts";
import { forbiddenField, invalid, type Problems } from "./field_error.ts";
import { podSpecProblems } from "./pod_spec.ts";

// deno-lint-ignore no-explicit-any -- a pod of a client; its spec is validated before it is compared
type Any = any;

/** Subresources of pods that each change one part of the spec and nothing else. */
export type PodPart = "ephemeralcontainers" | "resize";

/** Whether a subresource is one of {@linkcode PodPart}. */
export function isPodPart(subresource: string): subresource is PodPart {
  return subresource === "ephemeralcontainers" || subresource === "resize";
}

/** The pod as it is, with the one part as `next` has it. */
export function takePodPart(part: PodPart, current: KubeObject, next: KubeObject): KubeObject {
  const { resourceVersion } = next.metadata;
  const metadata = {
    ...current.metadata,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  const spec = part === "resize"
    ? takeResources(current["spec"], next["spec"])
    : { ...current["spec"], ephemeralContainers: next["spec"]?.ephemeralContainers };
  return { ...current, metadata, spec };
}

const SIZES = ["resources", "resizePolicy"] as const;

function takeResources(spec: Any, next: Any): Any {
  const take = (name: string): Any => {
    if (!Array.isArray(spec?.[name])) return {};
    const list = spec[name].map((container: Any) => {
      const found = listOf(next?.[name]).find((one) => one?.name === container.name);
      if (!found) return container;
      const copy = { ...container };
      for (const field of SIZES) {
        if (found[field] === undefined) delete copy[field];
        else copy[field] = found[field];
      }
      return copy;
    });
    return { [name]: list };
  };
  return { ...spec, ...take("containers"), ...take("initContainers") };
}

/** The problems of a pod of which one part was changed. */
export function podPartProblems(part: PodPart, pod: KubeObject, old: KubeObject): Problems {
  const problems = podSpecProblems("spec", pod["spec"]);
  if (problems.length > 0) return problems;
  if (old.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    const why = part === "resize"
      ? "static pods cannot be resized"
      : "static pods do not support ephemeral containers";
    return [forbiddenField("metadata", why)];
  }
  return part === "resize" ? resizeProblems(pod, old) : debuggerProblems(pod, old);
}

function debuggerProblems(pod: KubeObject, old: KubeObject): Problems {
  const list = listOf(pod["spec"].ephemeralContainers);
  const problems: Problems = [];
  for (const before of listOf(old["spec"].ephemeralContainers)) {
    const at = list.findIndex((one) => one.name === before.name);
    if (at < 0) {
      const why = `existing ephemeral containers "${before.name}" may not be removed\n`;
      problems.push(forbiddenField("spec.ephemeralContainers", why));
    } else if (!jsonEqual(list[at], before)) {
      const why = `existing ephemeral containers "${before.name}" may not be changed\n`;
      problems.push(forbiddenField(`spec.ephemeralContainers[${at}]`, why));
    }
  }
  return problems;
}

function resizeProblems(pod: KubeObject, old: KubeObject): Problems {
  const problems: Problems = [];
  for (const name of ["containers", "initContainers"] as const) {
    listOf(pod["spec"][name]).forEach((container, at) => {
      const before = old["spec"][name][at];
      if (jsonEqual(amounts(container), amounts(before))) return;
      const field = `spec.${name}[${at}].resources`;
      if (name === "initContainers" && container.restartPolicy !== "Always") {
        const why = "resources for non-sidecar init containers are immutable";
        problems.push(forbiddenField(field, why));
      } else problems.push(...changeProblems(field, container, before));
    });
  }
  if (problems.length === 0 && qosClass(pod["spec"]) !== qosClass(old["spec"])) {
    const why = "Pod QOS Class may not change as a result of resizing";
    problems.push(invalid("spec", qosClass(pod["spec"]), why));
  }
  return problems;
}

function changeProblems(field: string, container: Any, before: Any): Problems {
  const problems: Problems = [];
  for (const list of ["limits", "requests"] as const) {
    const [now, then] = [container.resources?.[list] ?? {}, before.resources?.[list] ?? {}];
    for (const name of new Set([...Object.keys(now), ...Object.keys(then)])) {
      if (name !== "cpu" && name !== "memory") {
        if (jsonEqual(now[name], then[name])) continue;
        problems.push(forbiddenField("spec", "only cpu and memory resources are mutable"));
      } else if (now[name] === undefined) {
        problems.push(forbiddenField(`${field}.${list}`, `resource ${list} cannot be removed`));
      }
    }
  }
  return problems;
}

function amounts(container: Any): Json {
  const { limits = {}, requests = {} } = container?.resources ?? {};
  return { limits, requests };
}

function listOf(value: Any): Any[] {
  return Array.isArray(value) ? value : [];
}
