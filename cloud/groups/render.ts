import {
  type EdgeApplication,
  type KubeObject,
  type ResourceDef,
  splitApiVersion,
} from "../../core/api/mod.ts";
import { controllerRef } from "../../core/control/mod.ts";
import { override, podSpecPath } from "./override.ts";
import { runOf, withRun } from "./runs.ts";
import { type Target, targetsOf } from "./target.ts";

/** On a Service: endpoints are those of the caller's group. KubeEdge's own. */
const TOPOLOGY = "apps.kubeedge.io/service-topology";

/** Why an object of an application is not as it should be. The words are API. */
export interface Problem {
  readonly reason:
    | "InvalidManifest" // it is no object, or is meant for another namespace
    | "KindNotServed" // the API server, or an application, cannot hold such objects
    | "NoTargets" // the scope names no group and no labels
    | "OverrideFailed"
    | "Duplicate" // two manifests or targets make the same object
    | "Taken" // an object of that name is somebody else's
    | "Refused" // the API refuses it
    | "Progressing"; // it is there and not ready yet
  readonly message: string;
}

/** The resource of a kind of which an application may hold objects, or why it may not. */
export type KindLookup = (apiVersion: string, kind: string) => ResourceDef | Problem;

/** What becomes of a manifest for one target. */
export interface Rendered {
  /** Place of the manifest. */
  readonly ordinal: number;
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty when the manifest has none. */
  readonly name: string;
  /** The NodeGroup that it is for, when it is for one. */
  readonly group?: string;
  /** What it runs, when it runs to an end. */
  readonly run?: string;
  readonly resource?: ResourceDef;
  /** Absent when there is a problem. */
  readonly object?: KubeObject;
  readonly problem?: Problem;
}

/** Fields of metadata that a manifest may set. */
const META = ["name", "labels", "annotations", "finalizers"] as const;

/** The objects that an application wants, each manifest for each target where it is a workload. */
export function renderApplication(
  app: EdgeApplication,
  find: KindLookup,
): Rendered[] {
  const manifests = app.spec?.workloadTemplate?.manifests ?? [];
  const rendered = manifests.flatMap((manifest, ordinal) =>
    renderManifest(app, manifest, { ordinal, find })
  );
  const seen = new Set<string>();
  return rendered.map((one) => {
    const { object: _, ...rest } = one;
    const key = identityOf(one);
    if (one.problem || !seen.has(key)) {
      seen.add(key);
      return one;
    }
    const message = `${one.kind} ${one.name} is made twice: name the manifests differently`;
    return { ...rest, problem: { reason: "Duplicate", message } };
  });
}

function renderManifest(
  app: EdgeApplication,
  manifest: Record<string, unknown>,
  { ordinal, find }: { readonly ordinal: number; readonly find: KindLookup },
): Rendered[] {
  const { apiVersion, kind, metadata } = manifest as Partial<KubeObject>;
  const name: unknown = metadata?.name;
  const base = { ordinal, apiVersion: textOf(apiVersion), kind: textOf(kind), name: textOf(name) };
  const fail = (reason: Problem["reason"], message: string): Rendered[] => [
    { ...base, problem: { reason, message } },
  ];
  if (!base.apiVersion || !base.kind || !base.name) {
    return fail("InvalidManifest", "a manifest must have apiVersion, kind and metadata.name");
  }
  const resource = find(base.apiVersion, base.kind);
  if ("reason" in resource) return fail(resource.reason, resource.message);
  const { namespace } = app.metadata;
  const other: unknown = metadata?.namespace;
  if (other !== undefined && other !== namespace) {
    const message = `metadata.namespace must be ${namespace}, that of the application`;
    return fail("InvalidManifest", message);
  }
  const object = ownObject(app, manifest as KubeObject);
  if (!podSpecPath(object)) return [{ ...base, resource, object: withTopology(object) }];
  let targets: readonly Target[];
  try {
    targets = targetsOf(app);
  } catch (error) {
    return fail("OverrideFailed", messageOf(error));
  }
  if (targets.length === 0) {
    return fail(
      "NoTargets",
      "spec.workloadScope names neither targetNodeGroups nor targetNodeLabels",
    );
  }
  return targets.map((target) => {
    const { group, suffix } = target;
    const named = {
      ...base,
      resource,
      name: `${base.name}-${suffix}`,
      ...(group ? { group } : {}),
    };
    try {
      return { ...named, ...renderFor(target, object, named.name) };
    } catch (error) {
      return { ...named, problem: { reason: "OverrideFailed", message: messageOf(error) } };
    }
  });
}

function renderFor(
  target: Target,
  manifest: KubeObject,
  name: string,
): Pick<Rendered, "object" | "run"> {
  const copy = structuredClone(manifest);
  copy.metadata.name = name;
  override(copy, target.overriders);
  // What Skerry itself puts in is left out: with another version of it nothing is to run again.
  const run = runOf(copy);
  target.place(copy);
  return run === undefined ? { object: copy } : { object: withRun(copy, run), run };
}

/** What an object is to the API server, whatever version it is named in. */
export function identityOf(
  { apiVersion, kind, name }: Pick<Rendered, "apiVersion" | "kind" | "name">,
): string {
  return `${splitApiVersion(apiVersion).group}/${kind} ${name}`;
}

/** Why what a manifest would have made is not known. */
const SPOILS = new Set<Problem["reason"]>(["InvalidManifest", "KindNotServed", "OverrideFailed"]);

/** Whether a manifest that cannot be rendered, by a slip maybe, may have made an object before. */
export function mayHaveMade(
  { apiVersion, kind, name, problem }: Rendered,
  object: { readonly kind: string; readonly name: string },
): boolean {
  if (!problem || !SPOILS.has(problem.reason)) return false;
  if (name === "" || kind === object.kind) return true;
  // The slip may be in the words of the kind: then only the name tells.
  const kindIsSure = apiVersion !== "" && kind !== "" && problem.reason !== "KindNotServed";
  return !kindIsSure && (object.name === name || object.name.startsWith(`${name}-`));
}

function ownObject(app: EdgeApplication, manifest: KubeObject): KubeObject {
  const { metadata, status: _, ...rest } = structuredClone(manifest);
  const kept = META.flatMap((key) => metadata[key] === undefined ? [] : [[key, metadata[key]]]);
  return {
    ...rest,
    metadata: {
      ...Object.fromEntries(kept) as KubeObject["metadata"],
      ...(app.metadata.namespace === undefined ? {} : { namespace: app.metadata.namespace }),
      ownerReferences: [controllerRef(app)],
    },
  };
}

function withTopology(object: KubeObject): KubeObject {
  if (object.apiVersion !== "v1" || object.kind !== "Service") return object;
  const annotations = { ...object.metadata.annotations, [TOPOLOGY]: "range-nodegroup" };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
