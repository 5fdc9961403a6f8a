/** What a role grants against what its owner did, by the API server's audit log. */
import type { Rendered } from "./chart.ts";

/** One verb on one resource that a role grants. */
export interface Grant {
  /** For messages. */
  readonly text: string;
  /** Set for what is granted in one namespace only. */
  readonly namespace?: string;
  readonly group: string;
  /** With its subresource: `pods/status`. */
  readonly resource: string;
  /** Set for what is granted on one object only. */
  readonly name?: string;
  readonly verb: string;
  /** Whether it is granted in the name of a node. */
  readonly asNode: boolean;
}

/** One request, as the audit log has it. */
export interface Audited {
  readonly verb: string;
  readonly requestURI: string;
  readonly impersonatedUser?: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** How a role spells a verb that is granted in the name of a node. */
export const ON_NODE = "impersonate-on:arbitrary-node:";

/** All that the roles among `objects` grant. */
export function grantsOf(objects: readonly Rendered[]): Grant[] {
  return objects.filter(({ kind }) => kind === "Role" || kind === "ClusterRole").flatMap((role) => {
    const { namespace } = role.metadata;
    return (role["rules"] as readonly Rule[]).flatMap((rule) =>
      rule.apiGroups.flatMap((group) =>
        rule.resources.flatMap((resource) =>
          rule.verbs.flatMap((verb) =>
            // Each name is a right of its own.
            (rule.resourceNames ?? [undefined]).map((name): Grant => ({
              text: `${namespace ?? "everywhere"}: ${verb} ${group}/${resource}` +
                (name === undefined ? "" : ` ${name}`),
              ...(namespace === undefined ? {} : { namespace }),
              group,
              resource,
              ...(name === undefined ? {} : { name }),
              verb: verb.startsWith(ON_NODE) ? verb.slice(ON_NODE.length) : verb,
              asNode: verb.startsWith(ON_NODE),
            }))
          )
        )
      )
    );
  });
}

/** The requests in an audit log, after its first `from` characters. */
export async function readAudit(path: string, from = 0): Promise<Audited[]> {
  const lines = (await Deno.readTextFile(path)).slice(from).split("\n");
  // After the last end of a line is one that is just being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

/** Whether a grant allows a request. */
export function allows(grant: Grant, { verb, objectRef, impersonatedUser }: Audited): boolean {
  const { resource = "", subresource, namespace, name = "", apiGroup = "" } = objectRef ?? {};
  const asNode = impersonatedUser !== undefined;
  if (grant.group === "authentication.k8s.io" && grant.verb === "impersonate:arbitrary-node") {
    return asNode;
  }
  return grant.asNode === asNode && grant.verb === verb && grant.group === apiGroup &&
    grant.resource === (subresource === undefined ? resource : `${resource}/${subresource}`) &&
    (grant.namespace === undefined || grant.namespace === namespace) &&
    (grant.name === undefined || grant.name === name);
}

/** One line for messages. */
export function auditText({ verb, requestURI, impersonatedUser, responseStatus }: Audited): string {
  const as = impersonatedUser ? ` as ${impersonatedUser.username}` : "";
  return `${verb} ${requestURI}${as}: ${responseStatus?.code} ${responseStatus?.message ?? ""}`;
}
