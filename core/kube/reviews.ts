import type { Attributes, Decision, User } from "../http/mod.ts";
import type { KubeClient } from "./client.ts";

/** Who a bearer token is, by the API server's word (TokenReview); `undefined` when it is none of its. */
export async function reviewToken(client: KubeClient, token: string): Promise<User | undefined> {
  const { status } = await client.call({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/tokenreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } },
  });
  const { username, uid, groups = [] } = status?.user ?? {};
  if (status?.authenticated !== true || typeof username !== "string") return undefined;
  return { name: username, ...(uid ? { uid } : {}), groups };
}

/** Whether a user may do something, by the API server's word (SubjectAccessReview). */
export async function reviewAccess(
  client: KubeClient,
  user: User,
  attributes: Attributes,
): Promise<Decision> {
  const { verb, group, version, resource, subresource, namespace, name } = attributes;
  const { status } = await client.call({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user: user.name,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        groups: user.groups,
        resourceAttributes: { verb, group, version, resource, subresource, namespace, name },
      },
    },
  });
  return { allowed: status?.allowed === true, reason: String(status?.reason ?? "") };
}
