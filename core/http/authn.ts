import { AppError } from "../base/mod.ts";
import { AUTHENTICATED_GROUP } from "./authz.ts";
import type { Authenticate, User } from "./types.ts";

/** Options of {@linkcode createAuthenticate}. */
export interface AuthenticateOptions {
  /** Finds the user of a bearer token; without it every token is refused. */
  readonly token?: (token: string) => Promise<User | undefined> | User | undefined;
  /** Says whether a verified certificate may no longer be used (revoked, superseded). */
  readonly refused?: (fingerprint: string, user: User) => Promise<boolean> | boolean;
}

/**
 * Client certificates (CN is the user, O the groups) and bearer tokens. A request that has both is
 * judged by its token, and a bad token is never forgiven for a good certificate.
 */
export function createAuthenticate(options: AuthenticateOptions = {}): Authenticate {
  return async (request, info) => {
    const token = bearerToken(request);
    if (token !== undefined) {
      const user = await options.token?.(token);
      if (!user) throw unauthorized();
      return withAuthenticated(user);
    }
    const peer = info.peer;
    if (!peer || peer.commonName === "") return undefined;
    const user = { name: peer.commonName, groups: peer.organizations };
    if (await options.refused?.(peer.fingerprint, user)) throw unauthorized();
    return withAuthenticated(user);
  };
}

/** The refusal of a request whose sender is not known. Kubernetes' words. */
export function unauthorized(): AppError {
  return new AppError("Unauthorized", "Unauthorized");
}

/** The token of `Authorization: Bearer`, if there is one. */
export function bearerToken(request: Request): string | undefined {
  const header = request.headers.get("authorization");
  const match = header === null ? null : /^bearer +(\S+)$/i.exec(header.trim());
  return match?.[1];
}

function withAuthenticated(user: User): User {
  return user.groups.includes(AUTHENTICATED_GROUP)
    ? user
    : { ...user, groups: [...user.groups, AUTHENTICATED_GROUP] };
}

/**
 * Refuses a request that wants to act as somebody else (`kubectl --as`). To serve it as who sent it
 * would give it more than it asked for.
 * @throws {AppError} Forbidden
 */
export function refuseImpersonation({ headers }: Request): void {
  for (const name of headers.keys()) {
    if (!name.startsWith("impersonate-")) continue;
    throw new AppError(
      "Forbidden",
      `impersonation is not served: send the request without the header ${name} ` +
        "(kubectl: without --as, --as-group and --as-uid)",
    );
  }
}
