import { RESOURCES } from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import type { Impersonation, KubeClient } from "./client.ts";
import { pathOf } from "./paths.ts";

/** What a token of a service account is asked for. */
export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod that it is bound to: it is good as long as that pod is there. */
  readonly pod: string;
  readonly uid: string;
  /** `""` for the API server's own. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

/**
 * Has the API server issue a token (TokenRequest).
 *
 * @throws {AppError} Invalid for a name that is none, and what the server refuses, e.g. Forbidden for
 * a node that does not run the pod
 */
export async function requestToken(
  client: KubeClient,
  request: TokenRequest,
  options: { readonly as?: Impersonation | undefined; readonly signal?: AbortSignal } = {},
): Promise<{ readonly token: string; readonly expires: string }> {
  const { namespace, serviceAccount, pod, uid, audience, expirationSeconds } = request;
  const name = serviceAccount;
  const { status } = await client.call({
    method: "POST",
    path: pathOf(RESOURCES.serviceaccounts, { namespace, name, subresource: "token" }),
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        ...(audience === "" ? {} : { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod, uid },
      },
    },
    ...(options.as ? { as: options.as } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const { token, expirationTimestamp } = status ?? {};
  if (typeof token === "string" && typeof expirationTimestamp === "string") {
    return { token, expires: expirationTimestamp };
  }
  throw new AppError("InternalError", `${client.server} answered a TokenRequest without a token`);
}
