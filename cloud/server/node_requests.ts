import {
  AppError,
  type Clock,
  hours,
  isAppError,
  linkSignals,
  type Ms,
  ms,
  Places,
} from "../../core/base/mod.ts";
import {
  atEnd,
  bearerToken,
  errorResponse,
  isRead,
  refuseImpersonation,
} from "../../core/http/mod.ts";
import { ANSWERED_BY, API_SERVER, type Forwarder, NOBODY } from "../../core/kube/mod.ts";
import type { Identities, NodePeer } from "../join/mod.ts";
import { type OnPodRequest, resultOfAnswer, resultOfError } from "../metrics/mod.ts";
import { goneMeanwhile, NoAnswer, sessionEnded } from "./no_answer.ts";
import type { ServerPhase, ServerWatch } from "./server_watch.ts";

/** Paths of the API server, as nodes ask for them at the node port. */
export const KUBE_PATH = "/v1/kube/";

/** Options of {@linkcode NodeRequests}. */
export interface NodeRequestsOptions {
  readonly identities: Pick<Identities, "check">;
  /** The API server: its address, a way there that brings no credential of the hub, how it stands. */
  readonly api: {
    readonly server: string;
    readonly forwarder: Pick<Forwarder, "send">;
    readonly watch: Pick<ServerWatch, "phase" | "answers">;
  };
  /** Aborts when the session ends that this hub has with a node. */
  readonly session: (node: string) => AbortSignal | undefined;
  /** Told of every request once its answer begins, or none is to come. @default {nobody counts} */
  readonly observe?: OnPodRequest | undefined;
  readonly clock: Clock;
}

/** Requests of one node at once, watches included. */
const MAX_OPEN = 256;
/** An answer that goes on is ended after this: the node may be gone, with its session at another hub. */
const MAX_LIFE = hours(1);
/** When a request has no answer after this, the server is asked whether it answers at all. */
const LATE = ms(500);

/**
 * Passes requests of a node's pods on to the API server (docs/protocol.md 8), which authenticates and
 * authorizes them by the pod's own token. The node's certificate only opens this door: no right of
 * the node or of the hub goes along.
 */
export class NodeRequests {
  readonly #options: NodeRequestsOptions;
  readonly #places = new Places();
  /** What ends each request that is under way, by node. */
  readonly #open = new Map<string, Map<AbortController, NodePeer>>();
  /** Fingerprints that were found to be their node's identity. */
  readonly #known = new Map<string, Set<string>>();
  /** How often an identity may have changed. */
  #turns = 0;

  constructor(options: NodeRequestsOptions) {
    this.#options = options;
  }

  /** Answers a request below {@linkcode KUBE_PATH}. Never rejects. */
  async answer(request: Request, peer: NodePeer, gone: AbortSignal): Promise<Response> {
    const { clock, observe } = this.#options;
    const from = clock.monotonic();
    const took = (): Ms => ms(clock.monotonic() - from);
    try {
      const response = await this.#answer(request, peer, gone);
      observe?.(resultOfAnswer(response.status), took());
      return response;
    } catch (error) {
      observe?.(gone.aborted ? "gone" : resultOfError(error), took());
      const response = errorResponse(error);
      if (error instanceof NoAnswer) response.headers.set(ANSWERED_BY, NOBODY);
      return response;
    }
  }

  /** How many are under way, of all nodes. */
  get open(): number {
    return this.#places.size;
  }

  /** The identity of this node may have changed: what is open ends when it is shut out. */
  async recheck(node: string): Promise<void> {
    this.#turns++;
    this.#known.delete(node);
    await Promise.all([...this.#open.get(node) ?? []].map(async ([life, peer]) => {
      try {
        const verdict = await this.#options.identities.check(peer);
        if (!verdict.ok) life.abort(new AppError("Forbidden", verdict.reason));
      } catch (error) {
        // Who cannot be judged asks again.
        life.abort(error);
      }
    }));
  }

  async #answer(request: Request, peer: NodePeer, gone: AbortSignal): Promise<Response> {
    if (bearerToken(request) === undefined) {
      throw new AppError("Unauthorized", "a request of a pod needs the pod's token");
    }
    refuseImpersonation(request);
    this.#phase();
    const life = new AbortController();
    using _late = this.#lookWhenLate(request, life);
    await this.#admit(peer);
    life.signal.throwIfAborted();
    return await this.#send(request, peer, { life, gone });
  }

  async #send(
    request: Request,
    peer: NodePeer,
    { life, gone }: { readonly life: AbortController; readonly gone: AbortSignal },
  ): Promise<Response> {
    const phase = this.#phase();
    const { api, session, clock } = this.#options;
    const { name } = peer;
    const giveBack = this.#enter(peer, life);
    const limit = clock.timer(MAX_LIFE, () => life.abort(new Error("it has lasted an hour")));
    const over = session(name);
    const signals = linkSignals(gone, life.signal, phase.ends, ...(over ? [over] : []));
    const leave = (): void => {
      limit[Symbol.dispose]();
      signals[Symbol.dispose]();
      giveBack();
    };
    try {
      const { pathname, search } = new URL(request.url);
      const url = `${api.server}/${pathname.slice(KUBE_PATH.length)}${search}`;
      const response = await api.forwarder.send(request, url, signals.signal);
      response.headers.set(ANSWERED_BY, API_SERVER);
      return atEnd(response, leave);
    } catch (error) {
      leave();
      if (phase.ends.aborted) throw goneMeanwhile(request);
      if (over?.aborted) throw sessionEnded(request, name);
      // No connection came about, or it broke.
      if (signals.signal.aborted || !isAppError(error, "ServiceUnavailable")) throw error;
      void api.watch.answers();
      throw new NoAnswer(error.message, error.retryAfterSeconds !== undefined, error);
    }
  }

  /** Ends what only reads when there is no answer and the server answers nobody. */
  #lookWhenLate(request: Request, life: AbortController): Disposable {
    const { api: { watch }, clock } = this.#options;
    if (!isRead(request)) return { [Symbol.dispose]: () => {} };
    let waits = true;
    const timer = clock.timer(LATE, async () => {
      if (await watch.answers() || !waits) return;
      life.abort(new NoAnswer("the API server gives no answer", true));
    });
    return {
      [Symbol.dispose]: () => {
        waits = false;
        timer[Symbol.dispose]();
      },
    };
  }

  /** @throws {AppError} Forbidden when the certificate is no longer the node's identity */
  async #admit(peer: NodePeer): Promise<void> {
    if (this.#known.get(peer.name)?.has(peer.fingerprint)) return;
    let turns: number;
    do {
      turns = this.#turns;
      const verdict = await this.#options.identities.check(peer);
      if (!verdict.ok) throw new AppError("Forbidden", verdict.reason);
      // A recheck meanwhile did not see this request, and the verdict may be from before.
    } while (turns !== this.#turns);
    const known = this.#known.get(peer.name) ?? new Set();
    this.#known.set(peer.name, known.add(peer.fingerprint));
  }

  /** @throws {NoAnswer} when the server is away */
  #phase(): ServerPhase {
    const { phase } = this.#options.api.watch;
    if (phase.away) throw new NoAnswer("the API server is away: nothing was asked of it", true);
    return phase;
  }

  /** @throws {AppError} TooManyRequests */
  #enter(peer: NodePeer, life: AbortController): () => void {
    const { name: node } = peer;
    const leave = this.#places.enter(node, {
      most: MAX_OPEN,
      who: `node ${node}`,
      what: "requests of its pods",
    });
    const open = this.#open.get(node) ?? new Map<AbortController, NodePeer>();
    this.#open.set(node, open.set(life, peer));
    return () => {
      leave();
      open.delete(life);
      if (open.size === 0 && this.#open.get(node) === open) this.#open.delete(node);
    };
  }
}
