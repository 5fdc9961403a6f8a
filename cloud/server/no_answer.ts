import { AppError } from "../../core/base/mod.ts";
import { isRead } from "../../core/http/mod.ts";
import { MAYBE_DONE } from "../../core/kube/mod.ts";

/** The API server is away: what only reads may be read from what the node holds. */
export class NoAnswer extends AppError {
  /** `again`: a client may ask again by itself, as nothing has been done. */
  constructor(message: string, again: boolean, cause?: unknown) {
    super(again ? "ServiceUnavailable" : "Timeout", message, {
      ...(again ? { retryAfterSeconds: 1 } : {}),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** What to say when the server goes away while a request is under way. */
export function goneMeanwhile(request: Request): NoAnswer {
  if (isRead(request)) return new NoAnswer("the API server is away", true);
  return new NoAnswer(`the API server has gone away before its answer came: ${MAYBE_DONE}`, false);
}

/**
 * What to say when the node's session with this hub ends meanwhile. The node may have one with another
 * hub by now, and still hear this one: it does not say that the server is away.
 */
export function sessionEnded(request: Request, node: string): AppError {
  const what = `the session of node ${node} with this hub has ended before the answer came`;
  return isRead(request)
    ? new AppError("ServiceUnavailable", `${what}: ask again`, { retryAfterSeconds: 1 })
    : new AppError("Timeout", `${what}: ${MAYBE_DONE}`);
}
