import { z } from "zod";
import { RESOURCES } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import type { TokenRequest } from "../../core/kube/mod.ts";
import type { Peer } from "../../core/link/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Join } from "../join/mod.ts";

/** Has the cluster issue a token, in the name of a node. */
export type IssueToken = (
  node: string,
  request: TokenRequest,
  signal: AbortSignal,
) => Promise<{ readonly token: string; readonly expires: string }>;

/** It becomes a part of a path at the API server. */
const Name = z.string().max(253).regex(
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  "namespace, serviceAccount and pod must be names of objects",
);
const TokenBody = z.object({
  namespace: Name,
  serviceAccount: Name,
  pod: Name,
  uid: z.string().min(1).max(253),
  audience: z.string().max(1024),
  expirationSeconds: z.int().min(600).max(2 ** 32),
});

/**
 * Answers a `call` of a node on its session (docs/protocol.md 7).
 *
 * @throws {AppError} MethodNotAllowed, BadRequest, Unsupported, and what renewing, issuing or reading
 * throws
 */
export async function answerCall(
  { join, issueToken, store }: {
    readonly join: Join;
    readonly issueToken: IssueToken | undefined;
    /** Where the hub reads as itself. */
    readonly store: Pick<Store, "list">;
  },
  peer: Peer,
  { method, body, signal }: {
    readonly method: string;
    readonly body: unknown;
    readonly signal: AbortSignal;
  },
): Promise<unknown> {
  switch (method) {
    case "renew": {
      const csr = (body as { csr?: unknown } | null)?.csr;
      if (typeof csr !== "string") throw new AppError("BadRequest", "renew needs a csr in PEM");
      return await join.identities.renew(peer, csr);
    }
    case "token": {
      if (!issueToken) {
        throw new AppError(
          "Unsupported",
          "this hub issues no service account tokens: set automountServiceAccountToken: false",
        );
      }
      const { data, error } = TokenBody.safeParse(body);
      if (error) throw new AppError("BadRequest", `token: ${error.issues[0]?.message ?? ""}`);
      return await issueToken(peer.name, data, signal);
    }
    case "pods": {
      // Of the store: a view may be behind, and by the answer a node ends what it does not name.
      const fieldSelector = `spec.nodeName=${peer.name}`;
      const { items } = await store.list(RESOURCES.pods, { fieldSelector });
      return { uids: items.map(({ metadata }) => metadata.uid) };
    }
    default:
      throw new AppError("MethodNotAllowed", `there is no call ${method}`);
  }
}
