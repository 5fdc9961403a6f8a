import { apiVersionOf, type ResourceDef } from "../../api/mod.ts";
import { type JsonSchema, schemaName } from "./schemas.ts";

const QUERY = [
  ["dryRun", "string", "All: do everything but the storing."],
  ["fieldValidation", "string", "Strict, Warn or Ignore: what to do with unknown fields."],
] as const;

function queryParameters(): JsonSchema[] {
  return QUERY.map(([name, type, description]) => ({
    name,
    in: "query",
    description,
    schema: { type, uniqueItems: true },
  }));
}

/**
 * The paths of a group's kinds, with what kubectl looks for: the kind of each operation, and that
 * writes take `dryRun` and `fieldValidation`.
 */
export function pathsOf(resources: readonly ResourceDef[]): JsonSchema {
  const out: JsonSchema = {};
  for (const resource of resources) {
    const root = resource.group === "" ? "/api/v1" : `/apis/${apiVersionOf(resource)}`;
    const scope = resource.namespaced ? "/namespaces/{namespace}" : "";
    const all = `${root}${scope}/${resource.plural}`;
    out[all] = {
      get: operation(resource, "list"),
      post: operation(resource, "post"),
      delete: operation(resource, "deletecollection"),
      parameters: scope === "" ? [] : [pathParameter("namespace")],
    };
    out[`${all}/{name}`] = {
      get: operation(resource, "get"),
      put: operation(resource, "put"),
      patch: operation(resource, "patch"),
      delete: operation(resource, "delete"),
      parameters: [
        pathParameter("name"),
        ...(scope === "" ? [] : [pathParameter("namespace")]),
      ],
    };
  }
  return out;
}

function pathParameter(name: string): JsonSchema {
  return { name, in: "path", required: true, schema: { type: "string", uniqueItems: true } };
}

function operation({ group, version, kind }: ResourceDef, action: string): JsonSchema {
  const writes = action !== "get" && action !== "list";
  return {
    operationId: `${action}${group.replaceAll(".", "_")}${version}${kind}`,
    ...(writes ? { parameters: queryParameters() } : {}),
    responses: {
      200: {
        description: "OK",
        content: {
          "application/json": { schema: { $ref: `#/components/schemas/${schemaName(kind)}` } },
        },
      },
    },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group, kind, version },
  };
}
