import { createHash } from "node:crypto";
import type { EdgeApplication, KubeObject, Overriders } from "../../core/api/mod.ts";
import { BELONGING_TO } from "../../core/api/mod.ts";
import { podSpecOf } from "./override.ts";

type Scope = EdgeApplication["spec"]["workloadScope"];
type LabelSelector = NonNullable<
  NonNullable<Scope["targetNodeLabels"]>[number]["labelSelector"]
>;

/** One place where an EdgeApplication runs. */
export interface Target {
  /** The NodeGroup, when it is one. */
  readonly group?: string;
  /** What names of workloads get, after a `-`. */
  readonly suffix: string;
  readonly overriders: Overriders;
  /** Sends the pods of a workload there, in place. @throws {RangeError} when that cannot be said */
  place(workload: KubeObject): void;
}

/**
 * The targets of an application, in their order: groups, then labels.
 *
 * @throws {RangeError} for a group without a name
 */
export function targetsOf({ spec }: EdgeApplication): Target[] {
  const { targetNodeGroups = [], targetNodeLabels = [] } = spec?.workloadScope ?? {};
  return [
    ...targetNodeGroups.map(({ name, overriders = {} }, index): Target => {
      if (!name) throw new RangeError(`targetNodeGroups[${index}].name is missing`);
      return {
        group: name,
        suffix: name,
        overriders,
        place: (workload) => toGroup(workload, name),
      };
    }),
    ...targetNodeLabels.map(({ labelSelector = {}, overriders = {} }): Target => ({
      suffix: labelSuffix(labelSelector),
      overriders,
      place: (workload) => toLabels(workload, labelSelector),
    })),
  ];
}

function toGroup(workload: KubeObject, group: string): void {
  const spec = podSpecOf(workload);
  spec["nodeSelector"] = { ...spec["nodeSelector"], [BELONGING_TO]: group };
}

function toLabels(workload: KubeObject, selector: LabelSelector): void {
  const wanted = [
    ...Object.entries(selector.matchLabels ?? {})
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([key, value]) => ({ key, operator: "In", values: [value] })),
    ...selector.matchExpressions ?? [],
  ];
  if (wanted.length === 0) return;
  const spec = podSpecOf(workload);
  const node = spec["affinity"]?.nodeAffinity;
  const key = "requiredDuringSchedulingIgnoredDuringExecution";
  // Terms are alternatives: what is wanted here is wanted in each of them.
  const terms: { matchExpressions?: unknown[] }[] = node?.[key]?.nodeSelectorTerms ?? [{}];
  const nodeSelectorTerms = terms.map((term) => ({
    ...term,
    matchExpressions: [...term.matchExpressions ?? [], ...structuredClone(wanted)],
  }));
  spec["affinity"] = {
    ...spec["affinity"],
    nodeAffinity: { ...node, [key]: { ...node?.[key], nodeSelectorTerms } },
  };
}

/** As KubeEdge names it, so that objects that it made are found again. */
function labelSuffix({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const hash = createHash("sha256");
  for (const key of Object.keys(matchLabels).sort()) hash.update(key + matchLabels[key]);
  // KubeEdge does not read them; with none of them the name is the same.
  if (matchExpressions.length > 0) hash.update(JSON.stringify(matchExpressions));
  return `ls-${hash.digest("hex").slice(0, 8)}`;
}
