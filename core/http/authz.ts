import { groupResource, type ResourceDef } from "../api/mod.ts";
import { AppError, type NodeName } from "../base/mod.ts";
import { MASTERS_GROUP, nodeNameOf } from "../pki/mod.ts";
import type { Attributes, Authorize, Decision, User } from "./types.ts";

/** Members may do everything. Kubernetes' own name for it. */
export const ADMIN_GROUP = MASTERS_GROUP;
/** Members may read everything but Secrets. */
export const VIEWER_GROUP = "skerry:viewers";
/** Everybody with a good credential is a member. */
export const AUTHENTICATED_GROUP = "system:authenticated";
/** The user of requests without a credential, on public routes. */
export const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** A rule in the order of {@linkcode rbacLike}: a decision, or `undefined` when it has nothing to say. */
export type Rule = (
  user: User,
  attributes: Attributes,
) => Promise<Decision | undefined> | Decision | undefined;

/** Options of {@linkcode rbacLike}. */
export interface RbacOptions {
  /** What a node may do; `node` is the name from its certificate. Without it, nodes may do nothing. */
  readonly nodes?: (node: NodeName, attributes: Attributes) => Promise<Decision> | Decision;
  /** Asked after the built-in roles, in order. */
  readonly rules?: readonly Rule[];
}

const READ = new Set(["get", "list", "watch"]);
const SELF = new Set([
  "selfsubjectaccessreviews",
  "selfsubjectrulesreviews",
  "selfsubjectreviews",
]);

/**
 * The roles of the embedded API: `admin` (group `system:masters`), `viewer` (group
 * `skerry:viewers`), the node rule, and reviews of oneself for everybody. What no rule allows is denied.
 */
export function rbacLike(options: RbacOptions = {}): Authorize {
  const rules: readonly Rule[] = [
    admin,
    selfReview,
    discovery,
    viewer,
    node,
    ...(options.rules ?? []),
  ];
  async function node(user: User, attributes: Attributes): Promise<Decision | undefined> {
    const name = nodeOf(user);
    if (name === undefined) return undefined;
    return await options.nodes?.(name, attributes) ??
      { allowed: false, reason: "nodes may not use this API" };
  }
  return async (user, attributes) => {
    let denied = "";
    for (const rule of rules) {
      const decision = await rule(user, attributes);
      if (decision?.allowed) return decision;
      if (decision) denied = decision.reason;
    }
    return { allowed: false, reason: denied };
  };
}

/** The node that a user is, by its certificate; `undefined` for everybody else. */
export function nodeOf(user: User): NodeName | undefined {
  const organizations = user.groups.filter((group) => group !== AUTHENTICATED_GROUP);
  return nodeNameOf({ commonName: user.name, organizations });
}

function admin(user: User): Decision | undefined {
  return user.groups.includes(ADMIN_GROUP)
    ? { allowed: true, reason: `role admin by group ${ADMIN_GROUP}` }
    : undefined;
}

function selfReview(_user: User, { verb, group, resource }: Attributes): Decision | undefined {
  const review = group === "authorization.k8s.io" || group === "authentication.k8s.io";
  return review && verb === "create" && SELF.has(resource)
    ? { allowed: true, reason: "everybody may ask about themselves" }
    : undefined;
}

const DISCOVERY = /^\/(api|apis|openapi|version)(\/|$)/;

function discovery(_user: User, { path, verb }: Attributes): Decision | undefined {
  return path !== "" && verb === "get" && DISCOVERY.test(path)
    ? { allowed: true, reason: "everybody may discover the API" }
    : undefined;
}

const SECRETS = "secrets";
const SUBRESOURCES_TO_READ = new Set(["", "status", "scale", "log"]);

function viewer(user: User, attributes: Attributes): Decision | undefined {
  if (!user.groups.includes(VIEWER_GROUP) || !READ.has(attributes.verb)) return undefined;
  if (attributes.resource === SECRETS) {
    return { allowed: false, reason: "role viewer may not read Secrets" };
  }
  if (attributes.path !== "" || SUBRESOURCES_TO_READ.has(attributes.subresource)) {
    return { allowed: true, reason: `role viewer by group ${VIEWER_GROUP}` };
  }
  return undefined;
}

/** The refusal of a request, in Kubernetes' words. */
export function forbidden(user: User, a: Attributes, decision: Decision): AppError {
  const why = decision.reason === "" ? "" : `: ${decision.reason}`;
  if (a.path !== "") {
    return new AppError(
      "Forbidden",
      `forbidden: User "${user.name}" cannot ${a.verb} path "${a.path}"${why}`,
    );
  }
  const resource = a.subresource === "" ? a.resource : `${a.resource}/${a.subresource}`;
  const subject = groupResource({ group: a.group, plural: a.resource });
  const name = a.name === "" ? "" : ` "${a.name}"`;
  const scope = a.namespace === "" ? "at the cluster scope" : `in the namespace "${a.namespace}"`;
  return new AppError(
    "Forbidden",
    `${subject}${name} is forbidden: User "${user.name}" cannot ${a.verb} resource "${resource}" ` +
      `in API group "${a.group}" ${scope}${why}`,
  );
}

/** What {@linkcode rulesOf} answers: the status of a `SelfSubjectRulesReview`. */
export interface RulesStatus {
  readonly resourceRules: ResourceRule[];
  readonly nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[];
  /** Whether there may be more, by rules that say no list of what they allow. */
  readonly incomplete: boolean;
}

interface ResourceRule {
  readonly verbs: string[];
  readonly apiGroups: string[];
  readonly resources: string[];
}

/** What the built-in roles allow on the kinds that are served, for `kubectl auth can-i --list`. */
export function rulesOf(user: User, served: readonly ResourceDef[]): RulesStatus {
  const resourceRules: ResourceRule[] = [
    {
      verbs: ["create"],
      apiGroups: ["authorization.k8s.io"],
      resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
  ];
  const nonResourceRules = [{
    verbs: ["get"],
    nonResourceURLs: ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version"],
  }];
  if (user.groups.includes(ADMIN_GROUP)) {
    resourceRules.push({ verbs: ["*"], apiGroups: ["*"], resources: ["*"] });
    nonResourceRules.push({ verbs: ["*"], nonResourceURLs: ["*"] });
  } else if (user.groups.includes(VIEWER_GROUP)) {
    resourceRules.push(...viewerRules(served));
    nonResourceRules.push({ verbs: ["get"], nonResourceURLs: ["*"] });
  }
  return { resourceRules, nonResourceRules, incomplete: nodeOf(user) !== undefined };
}

/** RBAC has no word for "all but Secrets", so each kind stands by its name. */
function viewerRules(served: readonly ResourceDef[]): ResourceRule[] {
  return [...new Set(served.map(({ group }) => group))].map((group) => ({
    verbs: [...READ],
    apiGroups: [group],
    resources: served.filter((one) => one.group === group && one.plural !== SECRETS).flatMap(
      (one) => [
        one.plural,
        ...(one.hasStatus ? [`${one.plural}/status`] : []),
        ...(one.scale ? [`${one.plural}/scale`] : []),
        ...(groupResource(one) === "pods" ? ["pods/log"] : []),
      ],
    ),
  }));
}
