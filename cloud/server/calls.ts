import { AppError } from "../../core/base/mod.ts";
import type { Peer } from "../../core/link/mod.ts";
import type { Join } from "../join/mod.ts";

/**
 * Answers a `call` of a node on its session (docs/protocol.md 7).
 *
 * @throws {AppError} MethodNotAllowed, BadRequest, and what renewing throws
 */
export async function answerCall(
  join: Join,
  peer: Peer,
  method: string,
  body: unknown,
): Promise<unknown> {
  if (method !== "renew") throw new AppError("MethodNotAllowed", `there is no call ${method}`);
  const csr = (body as { csr?: unknown } | null)?.csr;
  if (typeof csr !== "string") throw new AppError("BadRequest", "renew needs a csr in PEM");
  return await join.identities.renew(peer, csr);
}
