import { RESOURCE_LIST } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  errorText,
  linkSignals,
  type Logger,
  Places,
} from "../../core/base/mod.ts";
import {
  type Api,
  atEnd,
  type Attributes,
  bearerToken,
  type ConnectionInfo,
  createApi,
  type Decision,
  errorResponse,
  type ExtraSubresource,
  type Handler,
  isRead,
  isTrue,
  refuseImpersonation,
  unauthorized,
} from "../../core/http/mod.ts";
import { ANSWERED_BY, MAYBE_DONE, NOBODY } from "../../core/kube/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Account, TokenOwner } from "../pods/mod.ts";
import { type Away, awayError, NodeStore } from "./node_store.ts";
import { type AccountRules, allows } from "./rules.ts";
import { NodeVersions, refuseNodeVersions } from "./versions.ts";

/** Whether the cluster's API server can be asked. */
export interface ClusterPhase {
  /** Why it cannot; `undefined` when it can. */
  readonly away: Away | undefined;
  /** Aborts when it can no more, or again. */
  readonly ends: AbortSignal;
}

/** Options of {@linkcode createPodsApi}. */
export interface PodsApiOptions {
  readonly store: Store;
  /** Whose a bearer token is; `undefined` when it is not good. */
  readonly owner: (token: string, linked: boolean) => TokenOwner | undefined;
  readonly rulesOf: (account: Account) => AccountRules | undefined;
  readonly phase: () => ClusterPhase;
  /** Has the cluster's API server answer, by the hub. */
  readonly forward: (request: Request, signal: AbortSignal) => Promise<Response>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  readonly subresources: readonly ExtraSubresource[];
}

const READ = new Set(["get", "list", "watch"]);
/** What an account may ask of itself while the cluster is away. */
const REVIEWS = new Set([
  "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
  "/apis/authentication.k8s.io/v1/selfsubjectreviews",
]);
const WHO: Readonly<Record<Away, string>> = { hub: "hub", server: "API server" };
/** Requests of one pod at once, watches included. */
const MAX_OPEN = 64;

/**
 * The Kubernetes API as the pods of this node have it, by their service accounts' tokens: the
 * cluster's own by way of the hub while both are there, and else what this node holds, to read, by
 * the rights that the API server told last. What is open when that changes ends, and the versions of
 * the one are refused by the other, so that clients list again.
 */
export async function createPodsApi(options: PodsApiOptions): Promise<Handler> {
  const versions = new NodeVersions(await options.store.epoch());
  const server = new PodsApi(options, versions);
  return (request, info) => server.answer(request, info);
}

class PodsApi {
  readonly #options: PodsApiOptions;
  readonly #versions: NodeVersions;
  readonly #offline: Api;
  /** Requests under way by pod. */
  readonly #places = new Places();
  /** Who sends the requests that the node itself answers. */
  readonly #owners = new WeakMap<Request, TokenOwner>();

  constructor(options: PodsApiOptions, versions: NodeVersions) {
    this.#options = options;
    this.#versions = versions;
    this.#offline = createApi({
      ...options,
      store: new NodeStore(options.store, versions, () => this.#who()),
      resources: RESOURCE_LIST,
      authenticate: (request) => this.#owners.get(request)?.user,
      authorize: (user, asked) => this.#authorize(user.name, asked),
      extensions: {
        subresources: options.subresources.filter(({ verbs }) =>
          Object.values(verbs).every((verb) => READ.has(verb))
        ),
      },
    });
  }

  async answer(request: Request, info: ConnectionInfo): Promise<Response> {
    try {
      refuseImpersonation(request);
      const token = bearerToken(request) ?? "";
      const owner = this.#options.owner(token, this.#options.phase().away === undefined);
      if (!owner) throw unauthorized();
      if (info.upgrade) {
        throw new AppError(
          "Unsupported",
          "exec, attach and port-forward are not served to pods by this node's API",
        );
      }
      const { pod: { uid, name } } = owner;
      const leave = this.#places.enter(uid, { most: MAX_OPEN, who: `pod ${name}` });
      try {
        return atEnd(await this.#serve(request, info, owner), leave);
      } catch (error) {
        leave();
        throw error;
      }
    } catch (error) {
      return errorResponse(error);
    }
  }

  async #serve(request: Request, info: ConnectionInfo, owner: TokenOwner): Promise<Response> {
    const phase = this.#options.phase();
    if (phase.away) return await this.#here(request, { info, owner, phase });
    const { searchParams } = new URL(request.url);
    refuseNodeVersions(searchParams);
    const response = await this.#forward(request, info, phase).catch((error) => {
      // The cluster went away before an answer came.
      if (phase.ends.aborted && !info.signal.aborted) return undefined;
      throw error;
    });
    if (response && response.headers.get(ANSWERED_BY) !== NOBODY) return response;
    // What the hub says itself is not passed on: it would break off when this phase ends, in a moment.
    await response?.body?.cancel();
    const now = this.#options.phase();
    if (!isRead(request)) {
      if (response?.status === 503) throw awayError(this.#who(), "nothing can be written");
      throw inDoubt(response ? "the API server has gone away" : errorText(phase.ends.reason));
    }
    // Nobody was told of an outage, or it is over: a watch from here would go on for ever.
    const goesOn = response === undefined || isTrue(searchParams.get("watch"));
    if (!now.away && goesOn) throw tryAgain();
    return await this.#here(request, { info, owner, phase: now });
  }

  /** What is away, or was when a request was to be answered. */
  #who(): Away {
    return this.#options.phase().away ?? "server";
  }

  async #forward(request: Request, info: ConnectionInfo, phase: ClusterPhase): Promise<Response> {
    const signals = linkSignals(info.signal, phase.ends);
    const done = (): void => signals[Symbol.dispose]();
    try {
      return atEnd(await this.#options.forward(request, signals.signal), done);
    } catch (error) {
      done();
      throw error;
    }
  }

  async #here(
    request: Request,
    { info, owner, phase }: {
      readonly info: ConnectionInfo;
      readonly owner: TokenOwner;
      readonly phase: ClusterPhase;
    },
  ): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (!isRead(request) && !(request.method === "POST" && REVIEWS.has(pathname))) {
      throw awayError(this.#who(), "nothing can be written");
    }
    this.#versions.refuseOthers(searchParams);
    const signals = linkSignals(info.signal, phase.ends);
    this.#owners.set(request, owner);
    const response = await this.#offline.fetch(request, { ...info, signal: signals.signal });
    return atEnd(response, () => signals[Symbol.dispose]());
  }

  #authorize(user: string, asked: Attributes): Decision {
    const [, , namespace = "", name = ""] = user.split(":");
    const rules = this.#options.rulesOf({ namespace, name });
    if (!rules) {
      throw awayError(this.#who(), "what this service account may do is not known here yet");
    }
    const allowed = allows(rules, namespace, asked);
    return {
      allowed,
      reason: allowed
        ? ""
        : `by the rights that the cluster told last, as the ${WHO[this.#who()]} is away`,
    };
  }
}

/** Not with a time to come again: a client would by itself, and it may have been done. */
function inDoubt(why: string): AppError {
  return new AppError("Timeout", `${why} before the answer came: ${MAYBE_DONE}`);
}

function tryAgain(): AppError {
  const text = "the API server gives no answer at the moment: try again";
  return new AppError("ServiceUnavailable", text, { retryAfterSeconds: 1 });
}
