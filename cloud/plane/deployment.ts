import { type Deployment, type Pod, type ReplicaSet, RESOURCES } from "../../core/api/mod.ts";
import type { Ms } from "../../core/base/mod.ts";
import { type Action, controllerRef, jsonEqual } from "../../core/control/mod.ts";
import { claim } from "./claim.ts";
import { deploymentStatus, isComplete } from "./deployment_status.ts";
import { isTerminated } from "./pods.ts";
import type { Plan } from "./replicaset.ts";
import { byAge, findNewSet, newSetAnnotations, REVISION, revisionOf } from "./revisions.ts";
import { boundsOf, newSetReplicas, type Scaling, shrinkOld, wants } from "./rollout.ts";
import { TEMPLATE_HASH, templateHash } from "./template.ts";

/** What a Deployment's rule looks at. */
export interface DeploymentInput {
  readonly deployment: Deployment;
  /** All ReplicaSets of its namespace. */
  readonly sets: readonly ReplicaSet[];
  /** The pods that a ReplicaSet (by uid) controls. */
  readonly podsOf: (uid: string) => readonly Pod[];
  readonly now: Ms;
}

/** The next step of a Deployment. Pure; its effects bring the step after it. */
export function planDeployment(input: DeploymentInput): Plan {
  const { deployment, now } = input;
  const { mine, actions } = claim({
    owner: deployment,
    selector: deployment.spec.selector,
    candidates: input.sets,
    resource: RESOURCES.replicasets,
  });
  const sets = [...mine].filter((set) => set.metadata.deletionTimestamp === undefined).sort(byAge);
  const current = findNewSet(deployment, sets);
  const old = sets.filter((set) => set !== current);
  // Writes that adopt or release come first; the step after sees the new versions.
  if (actions.length > 0) return { actions };
  const steps = deployment.metadata.deletionTimestamp === undefined
    ? stepsOf({ ...input, sets }, current, old)
    : [];
  const { status, again } = deploymentStatus(deployment, { current, sets, now });
  if (!jsonEqual(status, deployment.status)) {
    const object = { ...deployment, status };
    steps.push({ do: "status", resource: RESOURCES.deployments, object });
  }
  return { actions: steps, ...(again === undefined ? {} : { again }) };
}

function stepsOf(
  input: DeploymentInput,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Action[] {
  const { deployment } = input;
  if (deployment.spec.paused) {
    const scalings = scaleActive(deployment, current, old);
    return scalings.map(({ set, replicas }) => scale(set, replicas));
  }
  const recreate = deployment.spec.strategy?.type === "Recreate";
  if (recreate) {
    const down = old.filter((set) => wants(set) > 0);
    if (down.length > 0) return down.map((set) => scale(set, 0));
    // The old pods must be gone, not only asked to go, before the first new one starts.
    const left = old.some((set) =>
      input.podsOf(set.metadata.uid ?? "").some((pod) => !isTerminated(pod))
    );
    if (left) return [];
  }
  const replicas = newSetReplicas(deployment, { current, old });
  if (!current) return [createSet(deployment, old, replicas)];
  const steps = updateSet(deployment, { current, old, replicas });
  const revision = current.metadata.annotations?.[REVISION];
  if (revision && deployment.metadata.annotations?.[REVISION] !== revision) {
    steps.push(annotate(deployment, revision));
  }
  if (wants(current) !== replicas) return steps;
  if (!recreate) {
    for (const { set, replicas } of shrinkOld(deployment, { current, old })) {
      steps.push(scale(set, replicas));
    }
  }
  return [...steps, ...cleanUp(deployment, old)];
}

/** While paused only the number follows: of the newest set with pods, else of the newest. */
function scaleActive(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling[] {
  const sets = [...old, ...(current ? [current] : [])];
  const active = sets.filter((set) => wants(set) > 0);
  const target = active.length > 1 ? undefined : active[0] ?? current ?? old.at(-1);
  const replicas = deployment.spec.replicas ?? 1;
  return target && wants(target) !== replicas ? [{ set: target, replicas }] : [];
}

function scale(set: ReplicaSet, replicas: number): Action {
  return {
    do: "update",
    resource: RESOURCES.replicasets,
    object: { ...set, spec: { ...set.spec, replicas } },
  };
}

function annotate(deployment: Deployment, revision: string): Action {
  const annotations = { ...deployment.metadata.annotations, [REVISION]: revision };
  return {
    do: "update",
    resource: RESOURCES.deployments,
    object: { ...deployment, metadata: { ...deployment.metadata, annotations } },
  };
}

/** The ReplicaSet for the present template. Its name is its hash, so two hubs make one. */
function createSet(deployment: Deployment, old: readonly ReplicaSet[], replicas: number): Action {
  const { spec, metadata } = deployment;
  const hash = templateHash(spec.template, deployment.status?.collisionCount);
  const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH]: hash };
  const { surge } = boundsOf(deployment);
  const object: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace ?? "",
      labels,
      annotations: newSetAnnotations(deployment, { current: undefined, others: old, surge }),
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas,
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [TEMPLATE_HASH]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
    },
  };
  return { do: "create", resource: RESOURCES.replicasets, object };
}

/** Brings the newest ReplicaSet's number, revision and annotations up to date in one write. */
function updateSet(
  deployment: Deployment,
  options: { current: ReplicaSet; old: readonly ReplicaSet[]; replicas: number },
): Action[] {
  const { current, old, replicas } = options;
  const { surge } = boundsOf(deployment);
  const annotations = newSetAnnotations(deployment, { current, others: old, surge });
  const { minReadySeconds: _, ...spec } = current.spec;
  const minReady = deployment.spec.minReadySeconds;
  const object: ReplicaSet = {
    ...current,
    metadata: { ...current.metadata, annotations },
    spec: {
      ...spec,
      replicas,
      ...(minReady === undefined ? {} : { minReadySeconds: minReady }),
    },
  };
  return jsonEqual(object, current)
    ? []
    : [{ do: "update", resource: RESOURCES.replicasets, object }];
}

/** Removes the oldest empty ReplicaSets beyond the limit, when the rollout is through. */
function cleanUp(deployment: Deployment, old: readonly ReplicaSet[]): Action[] {
  if (!isComplete(deployment, deployment.status ?? {})) return [];
  const empty = old.filter((set) =>
    wants(set) === 0 && (set.status?.replicas ?? 0) === 0 &&
    set.status?.observedGeneration === set.metadata.generation
  );
  const surplus = empty.length - (deployment.spec.revisionHistoryLimit ?? 10);
  return [...empty].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, surplus))
    .map((object) => ({ do: "delete", resource: RESOURCES.replicasets, object }));
}
