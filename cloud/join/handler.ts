import { z } from "zod";
import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  isNodeName,
  type Logger,
  OutageLog,
} from "../../core/base/mod.ts";
import { errorResponse, type Handler, readJson } from "../../core/http/mod.ts";
import { admitNode } from "./admission.ts";
import type { HubCa } from "../../core/tokens/mod.ts";
import { type Identities, readNodeCsr } from "./identities.ts";
import { RateLimiter } from "./rate.ts";
import { hostOf } from "./hub_names.ts";
import { parseToken } from "../../core/tokens/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Tokens } from "../../core/tokens/mod.ts";

/** Options of {@linkcode createJoinHandler}. */
export interface JoinHandlerOptions {
  readonly ca: HubCa;
  readonly tokens: Tokens;
  readonly identities: Identities;
  /** Where Nodes are: a name that somebody else's has is not given away. */
  readonly store: Pick<Store, "get">;
  /** Shown to the node as the name of what it joined. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told by which name or address a node with a good token reached the hub, before it is answered. */
  readonly reached?: (host: string) => Promise<void>;
}

/** Answer of `POST /join`. */
export interface JoinAnswer {
  /** The node's certificate, PEM. */
  readonly certificate: string;
  /** The CA's certificate, PEM. */
  readonly ca: string;
  readonly cluster: string;
  readonly node: string;
}

const LIMITS = {
  bodyBytes: 64 * 1024,
  jsonDepth: 8,
  urlLength: 1024,
  watchesPerUser: 0,
  requestsPerUser: 0,
};
const JoinRequest = z.object({
  token: z.string().max(256),
  csr: z.string().max(16 * 1024),
  node: z.string().max(253),
  replace: z.boolean().optional(),
});
/** Many gateways may stand behind one address. */
const RATE = { burst: 50, perSecond: 5 };

/**
 * `POST /join` (docs/protocol.md 7): a token and a CSR in, a node's certificate out. Whoever asks
 * is unknown, so everything is bounded and the dear work (signatures) comes after the token.
 */
export function createJoinHandler(options: JoinHandlerOptions): Handler {
  const { clock } = options;
  const limiter = new RateLimiter({ clock, ...RATE });
  // Of each address the limiter bounds all other refusals; these come as fast as it likes.
  const flood = new OutageLog({ clock, log: options.log });
  return async (request, info) => {
    const log = options.log.with({ remote: info.remote });
    try {
      const wait = limiter.take(info.remote ?? "");
      if (wait > 0) {
        throw new AppError("TooManyRequests", `too many tries to join: wait ${wait} s`, {
          retryAfterSeconds: wait,
        });
      }
      if (request.method !== "POST") {
        throw new AppError("MethodNotAllowed", "join with POST");
      }
      const answer = await join(options, parse(await readJson(request, LIMITS)));
      const host = hostOf(request.headers.get("host"));
      if (host !== undefined) await options.reached?.(host);
      log.info("node joined", { node: answer.node, host });
      return new Response(JSON.stringify(answer), {
        status: 201,
        headers: { "content-type": "application/json", "cache-control": "no-store" },
      });
    } catch (error) {
      if (isAppError(error, "TooManyRequests")) {
        flood.failed("warn", "join refused", { remote: info.remote, error: error.message });
      } else if (isAppError(error)) {
        log.warn("join refused", { code: error.code, error: error.message });
      } else log.error("join failed", { error: errorText(error) });
      return errorResponse(error);
    }
  };
}

function parse(body: unknown): z.infer<typeof JoinRequest> {
  const result = JoinRequest.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") || "body";
  throw new AppError("BadRequest", `the request cannot be read: ${field}: ${issue?.message}`);
}

async function join(
  options: JoinHandlerOptions,
  body: z.infer<typeof JoinRequest>,
): Promise<JoinAnswer> {
  const { ca, tokens, cluster } = options;
  const text = parseToken(body.token);
  if (!text) {
    throw new AppError("Unauthorized", "the token is none of ours: it starts with skerry1.");
  }
  if (text.ca !== ca.fingerprint) {
    throw new AppError("Unauthorized", "the token is for another hub: its CA is not this one's");
  }
  const token = await tokens.authenticate(text);
  const { node } = body;
  if (!isNodeName(node)) {
    throw new AppError(
      "BadRequest",
      "the node's name must be a DNS-1123 subdomain of at most 63 characters: a-z, 0-9, - and .",
    );
  }
  const request = await readNodeCsr(node, body.csr);
  const ask = { node, keyId: request.keyId, replace: body.replace === true };
  const certificate = await admitNode(options, { token: token.id, ask, node, request });
  return { certificate, ca: ca.certificate, cluster, node };
}
