import { type CustomColumn, customColumns } from "../kubeedge/columns.ts";
import { customKind } from "../kubeedge/kinds.ts";
import { groupResource, type KubeObject, type ResourceDef } from "../object.ts";
import { type StructuralSchema, structuralSchema } from "./structural.ts";

/**
 * The CustomResourceDefinition by which a real API server serves a kind as the embedded hub does.
 *
 * @throws {RangeError} when the kind is Kubernetes' own
 */
export function crdOf(resource: ResourceDef): KubeObject {
  const { group, version, plural, singular, kind, shortNames, categories, namespaced } = resource;
  const schema = customSchema(resource);
  if (!schema) throw new RangeError(`Cannot make a CRD of ${kind} as it is Kubernetes' own`);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: groupResource(resource) },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        ...(shortNames.length > 0 ? { shortNames } : {}),
        ...(categories.length > 0 ? { categories } : {}),
      },
      versions: [{
        name: version,
        served: true,
        storage: true,
        ...subresourcesOf(resource),
        additionalPrinterColumns: customColumns(resource).map(printerColumn),
        schema: { openAPIV3Schema: schema },
      }],
    },
  };
}

function subresourcesOf({ hasStatus, scale }: ResourceDef): StructuralSchema {
  if (!hasStatus && !scale) return {};
  return {
    subresources: {
      ...(hasStatus ? { status: {} } : {}),
      ...(scale
        ? {
          scale: {
            specReplicasPath: `.${scale.spec}`,
            statusReplicasPath: `.${scale.status}`,
            labelSelectorPath: `.${scale.selector}`,
          },
        }
        : {}),
    },
  };
}

function printerColumn({ name, type, description, jsonPath, wide }: CustomColumn) {
  return { name, type, description, jsonPath, ...(wide ? { priority: 1 } : {}) };
}

/** The schema of a whole object of a kind; `undefined` when the kind is Kubernetes' own. */
export function customSchema(
  resource: Pick<ResourceDef, "group" | "kind">,
): StructuralSchema | undefined {
  const kind = customKind(resource);
  if (!kind) return undefined;
  return {
    type: "object",
    description: kind.description,
    ...(kind.specRequired ? { required: ["spec"] } : {}),
    properties: {
      apiVersion: { type: "string", description: "Group and version of the kind." },
      kind: { type: "string", description: "What the object is." },
      metadata: { type: "object" },
      ...(kind.spec ? { spec: structuralSchema(kind.spec) } : {}),
      ...(kind.status ? { status: structuralSchema(kind.status) } : {}),
    },
  };
}
