import type { IntOrPercent, PodTemplate } from "../../core/api/mod.ts";
import { jsonEqual } from "../../core/control/mod.ts";
import { hashOf } from "./hash.ts";

/** The label by which a Deployment tells its ReplicaSets and their pods apart. */
export const TEMPLATE_HASH = "pod-template-hash";

/** Whether two templates make the same pods; the hash label does not count. */
export function sameTemplate(a: PodTemplate, b: PodTemplate): boolean {
  return jsonEqual(bare(a), bare(b));
}

function bare(template: PodTemplate): PodTemplate {
  const { [TEMPLATE_HASH]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** The hash of a template; `collisions` changes it when another template had the same. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  return hashOf([bare(template), collisions]);
}

/** A count or a share (`25%`) of `total` as a count; what cannot be read is 0. */
export function resolveCount(
  value: IntOrPercent | undefined,
  total: number,
  round: "up" | "down",
): number {
  if (typeof value === "number") return Number.isFinite(value) ? Math.max(0, Math.trunc(value)) : 0;
  const match = /^(\d{1,6})%$/.exec(value ?? "");
  if (!match) return 0;
  const exact = Number(match[1]) * total / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
